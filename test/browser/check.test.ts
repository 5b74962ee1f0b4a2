/** "Check this here" computes the stated case in the browser and says what it found: agreement, difference or a reason. */
import type { Browser, Page } from "playwright-core";
import { beforeAll, expect, inject, test } from "vitest";
import { full } from "../full.js";
import { pages } from "./cases.js";
import { openChromium } from "./chromium.js";
import { tampered, violations, visit } from "./visit.js";

const site = inject("site");

let browser: Browser;
beforeAll(async () => {
  browser = await openChromium();
});

async function answer(page: Page): Promise<string> {
  await page.getByRole("button", { name: "Check this here" }).click();
  const said = page.locator(".check [role=status]");
  await said.locator("p", { hasText: /^(Agrees|Differs|Cannot run)/ }).waitFor({ timeout: 90_000 });
  return (await said.textContent()) ?? "";
}

/**
 * Mathematics, texts one by one, whose agreement is what the tests below take away, and questions; the others take the
 * way of one of these, or give means over texts.
 */
const published: (readonly [page: string, numbers: number, subjects: string])[] = [
  ["sparse-reach", 4 * 13 * 2, "4 patterns"],
  ["sinks", 6, "3 texts"],
  ["positional-bias", 6 * (2 + 8), "6 questions"],
  ["flow-routes", 64, "60 windows"],
  ["entropy", 27, "3 texts"],
  ["basin", 4 * (2 + 10 * 8), "4 questions"],
  ["attention-buckets", 6, "3 questions"],
  ["associative-memory", 3 * 3, "1 repetition"],
  ["context-heads", 2 * 64, "10 texts"],
  ["distributed-memory", 2 * 23, "23 lines"],
  ["head-atlas", 4 * 64, "24 sequences"],
  ["head-functions", 1, "10 texts"],
  ["head-rank", 2 * 4, "2 cases"],
  ["head-removal", 4, "8 texts"],
  ["kv-policies", 2 * 64, "10 texts"],
  ["massive-values", 3 * 3 * 32, "16 texts"],
  ["query-key-directions", 64, "12 texts"],
  ["rank-collapse", 18, "32 stacks"],
  ["rotary-heads", 64, "12 texts"],
  ["streaming-attention", 24, "3 inputs"],
];

test.each(full ? published : published.slice(0, 1))(
  "/%s agrees with what was published",
  async (path, numbers, subjects) => {
    const { page, troubles, close } = await visit(browser, `${site}${path}`, "light", 1280);
    try {
      const said = await answer(page);
      expect(said).toMatch(
        new RegExp(`^Agrees: ${numbers} numbers? of ${subjects}; the largest difference is [\\d.]+(\\s×\\s10\\S+)? `),
      );
      await page.locator(".check summary").click();
      expect(await page.locator(".check tbody tr").count()).toBe(numbers);
      expect(await violations(page)).toEqual([]);
      expect(troubles).toEqual([]);
    } finally {
      await close();
    }
  },
);

test("every page of an experiment has a check, or says why it cannot have one", async () => {
  const apart = ["", "benchmarks", "papers"];
  for (const path of pages.filter((page) => !apart.includes(page) && !page.startsWith("papers/"))) {
    const html = await (await fetch(`${site}${path}`)).text();
    expect(html, path).toMatch(/<h2 id="check-this-here"/);
    if (!/check\(\{/.test(html)) expect(html, path).toMatch(/Cannot run in a browser: \w/);
  }
});

/** Visits the page of sinks while one of its files is another one, in a browser that has kept none of them. */
async function withOther(file: RegExp, change: (body: Buffer) => Buffer): Promise<string> {
  const context = await browser.newContext();
  const page = await context.newPage();
  try {
    await page.route(file, tampered(change));
    await page.goto(`${site}sinks`);
    return await answer(page);
  } finally {
    await context.close();
  }
}

test("a published number that is not what is computed is named, with its place", { tags: ["wide"] }, async () => {
  const said = await withOther(/\/lab\/texts\.\w+\.json$/, (body) =>
    Buffer.from(body.toString("utf8").replace("The configuration directives", "The configured directives")),
  );
  expect(said).toMatch(/^Differs: 2 numbers of 6 do; the largest difference is [\d.]+ \(.*; apache2-doc-5\)/);
});

test("weights that do not arrive are a reason and not an answer", { tags: ["wide"] }, async () => {
  const weights = await withOther(/\/lab\/weights\/2\.\w+\.bin$/, (body) => body.subarray(1));
  expect(weights).toMatch(/^Cannot run here: Part 2 of the weights did not arrive/);
});

test.runIf(full)("so are other texts", { tags: ["wide"] }, async () => {
  const texts = await withOther(/\/lab\/texts\.\w+\.json$/, (body) =>
    Buffer.from(body.toString("utf8").replace(/"sha256":"\w/, '"sha256":"x')),
  );
  expect(texts).toMatch(/^Cannot run: the published result is of other texts/);
});
