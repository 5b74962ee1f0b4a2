import type { Page } from "playwright-core";

/** What "Check this here" says in the end. */
export async function answer(page: Page): Promise<string> {
  await page.getByRole("button", { name: "Check this here" }).click();
  const said = page.locator(".check [role=status]");
  await said.locator("p", { hasText: /^(Agrees|Differs|Cannot run)/ }).waitFor({ timeout: 90_000 });
  return (await said.textContent()) ?? "";
}
