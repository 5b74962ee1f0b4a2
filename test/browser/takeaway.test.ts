/** What a reader can take away from a figure is what the figure shows. */
import { readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { tableFromIPC } from "apache-arrow";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { openChromium } from "./chromium.js";
import { move, settled, type Visit, visit } from "./visit.js";

let browser: Browser;
let desk: Visit;
let page: Page;
let figure: Locator;
beforeAll(async () => {
  browser = await openChromium();
  desk = await visit(browser, `${inject("site")}entropy`, "dark", 1280);
  page = desk.page;
  figure = page.locator("main figure.figure:has(svg.marks)").first();
  await figure.locator(".figure-data > summary").click();
  await figure.locator(".sql .cm-content").waitFor();
});
afterAll(() => desk.close());

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
  expect(await figure.locator(".sql .cm-content").textContent()).toMatch(/^\s*(SELECT|WITH)\b/);
  expect(await figure.locator(".sql .cm-content").textContent()).not.toContain("$");
});

test("the SVG stands on its own, on white, although the page is dark", async () => {
  const svg = (await download("SVG")).toString("utf8");
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  expect(svg).toMatch(/fill="(#ffffff|white)"/);
  expect(svg.replace(/xmlns(:\w+)?="[^"]*"/g, "")).not.toMatch(/https?:|url\(|var\(|<image|<script|@import/);
});

test.each([85, 120, 180])("pictures are %s mm wide, in print as in vectors", async (millimetres) => {
  await figure.locator(".downloads select").selectOption({ label: `${millimetres} mm` });
  const svg = (await download("SVG")).toString("utf8");
  expect(Math.abs(Number(svg.match(/<svg [^>]*width="([\d.]+)mm"/)?.[1]) - millimetres)).toBeLessThan(0.3);
  expect(svg).toMatch(/font-family="Helvetica, Arial, sans-serif"/);
  expect(svg).toContain("<title>");
  const png = await download("PNG");
  expect(png.subarray(1, 4).toString("latin1")).toBe("PNG");
  expect(png.subarray(37, 41).toString("latin1")).toBe("pHYs");
  expect(crc32(png.subarray(37, 50))).toBe(png.readUInt32BE(50));
  const perMetre = png.readUInt32BE(41);
  expect(Math.abs((1000 * png.readUInt32BE(16)) / perMetre - millimetres)).toBeLessThan(0.3);
  expect(perMetre).toBeGreaterThan(300 / 0.0254);
});

/** A map has cells of a width of its own, and small multiples as many columns as fit. */
test.each(["heads", "layers"])("the pictures of #%s, too", async (id) => {
  const other = page.locator(`#${id}`);
  await other.locator(".figure-data > summary").click();
  await other.locator(".downloads select").selectOption({ label: "180 mm" });
  const save = async (name: string) => {
    const [file] = await Promise.all([page.waitForEvent("download"), other.getByRole("button", { name }).click()]);
    return readFile(await file.path());
  };
  const svg = (await save("SVG")).toString("utf8");
  expect(Math.abs(Number(svg.match(/<svg [^>]*width="([\d.]+)mm"/)?.[1]) - 180)).toBeLessThan(0.3);
  const png = await save("PNG");
  expect(Math.abs((1000 * png.readUInt32BE(16)) / png.readUInt32BE(41) - 180)).toBeLessThan(0.3);
});

test("the Arrow file holds the rows drawn, the query, and the passports", async () => {
  const table = tableFromIPC(await download("Arrow"));
  const lines = (await download("CSV")).toString("utf8").trimEnd().split("\r\n");
  expect(table.numRows).toBe(lines.length - 1);
  expect(table.schema.fields.map(({ name }) => name)).toEqual(lines[0].split(","));
  expect(table.schema.metadata.get("sql")).toMatch(/^(SELECT|WITH)\b/);
  const [passport] = JSON.parse(table.schema.metadata.get("passports") ?? "");
  expect(passport).toMatchObject({ experiment: "entropy", key: expect.stringMatching(/^[0-9a-f]{16,}$/) });
});

test("the table is sorted by any column, both ways", async () => {
  const head = figure.locator(".rows thead th").last();
  const values = async () =>
    (await figure.locator(".rows tbody td:last-child").allTextContents()).filter((text) => text !== "–").map(Number);
  await head.getByRole("button").click();
  const up = await values();
  expect(up).toEqual(up.toSorted((a, b) => a - b));
  expect(await head.getAttribute("aria-sort")).toBe("ascending");
  await head.getByRole("button").click();
  expect(await values()).toEqual(up.toReversed());
});

test("what is open stays open, and follows, when a control moves", async () => {
  await figure.locator("details.passport summary").first().click();
  const before = await figure.locator(".sql .cm-content").textContent();
  const node = await figure.elementHandle();
  await move(page.locator("main .control").first());
  await settled(page);
  expect(await figure.locator(".sql .cm-content").textContent()).not.toBe(before);
  expect(await figure.locator("details[open]").count()).toBe(2);
  expect(await node?.evaluate((element) => element.isConnected)).toBe(true);
});

test("a dark page prints light, with its charts", async () => {
  const label = figure.locator("svg.marks text[fill]").first();
  const dark = await label.getAttribute("fill");
  await page.emulateMedia({ media: "print" });
  await expect.poll(() => label.getAttribute("fill")).not.toBe(dark);
  expect(await page.locator("html").evaluate((root) => getComputedStyle(root).backgroundColor)).toBe(
    "rgb(252, 252, 250)",
  );
  // No wider than the paper, which would shrink its letters.
  const width = () => figure.locator("svg.marks").evaluate((svg) => Number(svg.getAttribute("width")));
  expect(await width()).toBeLessThanOrEqual(640);
  await page.emulateMedia({ media: "screen" });
  await expect.poll(() => label.getAttribute("fill")).toBe(dark);
  expect(await width()).toBeGreaterThan(900);
});
