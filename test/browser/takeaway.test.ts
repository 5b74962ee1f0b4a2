/** What a reader can take away from a figure is what the figure shows. */
import { readFile } from "node:fs/promises";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { launchChromium } from "./chromium.js";
import { move, settled, visit } from "./visit.js";

let browser: Browser;
let page: Page;
let figure: Locator;
beforeAll(async () => {
  browser = await launchChromium();
  ({ page } = await visit(browser, `${inject("site")}entropy`, "dark", 1280));
  figure = page.locator("main figure.figure:has(svg.marks)").first();
  await figure.locator(".figure-data summary").click();
});
afterAll(() => browser.close());

async function download(name: string): Promise<Buffer> {
  const [file] = await Promise.all([page.waitForEvent("download"), figure.getByRole("button", { name }).click()]);
  expect(file.suggestedFilename()).toBe(`${await figure.getAttribute("id")}.${name.toLowerCase()}`);
  return readFile(await file.path());
}

test("the table, the CSV and the query are about the same rows", async () => {
  const shown = await figure.locator(".rows tbody tr").count();
  const total = Number.parseInt(
    ((await figure.locator(".rows caption").textContent()) ?? "").replace(/^First \d+ of |,/g, ""),
    10,
  );
  const lines = (await download("CSV")).toString("utf8").trimEnd().split("\r\n");
  expect(lines).toHaveLength(total + 1);
  expect(shown).toBe(Math.min(total, 200));
  expect(lines[0].split(",")).toEqual(await figure.locator(".rows thead th").allTextContents());
  expect(await figure.locator(".sql").textContent()).toMatch(/^\s*(SELECT|WITH)\b/);
  expect(await figure.locator(".sql").textContent()).not.toContain("$");
});

test("the SVG stands on its own, on white, although the page is dark", async () => {
  const svg = (await download("SVG")).toString("utf8");
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  expect(svg).toMatch(/fill="(#ffffff|white)"/);
  expect(svg.replace(/xmlns(:\w+)?="[^"]*"/g, "")).not.toMatch(/https?:|url\(|var\(|<image|<script|@import/);
});

test("the PNG is large enough for print", async () => {
  const png = await download("PNG");
  expect(png.subarray(1, 4).toString("latin1")).toBe("PNG");
  const width = await figure.locator("svg.marks").evaluate((svg) => svg.getBoundingClientRect().width);
  expect(png.readUInt32BE(16)).toBeGreaterThanOrEqual(2.9 * width);
});

test("what is open stays open, and follows, when a control moves", async () => {
  await figure.locator("details.passport summary").first().click();
  const before = await figure.locator(".sql").textContent();
  const node = await figure.elementHandle();
  await move(page.locator("main .control").first());
  await settled(page);
  expect(await figure.locator(".sql").textContent()).not.toBe(before);
  expect(await figure.locator("details[open]").count()).toBe(2);
  expect(await node?.evaluate((element) => element.isConnected)).toBe(true);
});
