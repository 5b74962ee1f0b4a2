/** The page of all papers as a reader goes through it, and the page of a paper that is not measured yet. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { openChromium } from "./chromium.js";
import { charts, settled, type Visit, violations, visit } from "./visit.js";

const site = inject("site");

let browser: Browser;
let desk: Visit;
beforeAll(async () => {
  browser = await openChromium();
  desk = await visit(browser, `${site}papers`, "light", 1280);
});
afterAll(() => desk.close());

const rows = () => desk.page.locator(".papers tbody tr");
const cells = (column: number) => rows().locator(`td:nth-child(${column})`).allTextContents();

test("every paper is listed, and leads to its page", async () => {
  expect(await rows().count()).toBe(119);
  const links = await rows()
    .locator("a")
    .evaluateAll((nodes) => nodes.map((node) => node.getAttribute("href")));
  expect(new Set(links).size).toBe(119);
});

test("search and filters leave those that match, in table and chart", async () => {
  const before = await charts(desk.page);
  await desk.page.getByLabel("Status").selectOption("measured");
  await settled(desk.page);
  const measured = await rows().count();
  expect(measured).toBeGreaterThan(10);
  expect(measured).toBeLessThan(119);
  expect((await cells(5)).some((verdict) => verdict === "planned")).toBe(false);
  expect(await charts(desk.page)).not.toEqual(before);
  expect(await desk.page.locator("#measured .claim").textContent()).toBe(
    `${measured} of ${measured} papers are measured.`,
  );
  await desk.page.getByLabel("Status").selectOption("all");
  await desk.page.getByLabel("Search in titles, claims and metrics").fill("Rank Collapse");
  await settled(desk.page);
  expect(await rows().count()).toBeLessThan(5);
  await desk.page.getByLabel("Search in titles, claims and metrics").fill("");
  await settled(desk.page);
  expect(await rows().count()).toBe(119);
});

test("a column sorts both ways, and says so", async () => {
  const button = desk.page.getByRole("button", { name: "Year" });
  const head = desk.page.locator("th", { has: button });
  await button.click();
  const years = await cells(3);
  expect(years).toEqual([...years].sort());
  expect(await head.getAttribute("aria-sort")).toBe("ascending");
  await button.press("Enter");
  expect(await cells(3)).toEqual([...years].reverse().sort((a, b) => Number(b) - Number(a)));
  expect(await head.getAttribute("aria-sort")).toBe("descending");
});

test("a verdict on a part of a paper says so, and the home page counts it", async () => {
  const [row] = await rows()
    .filter({ hasText: "On the Benefits of Rank" })
    .locator("td:nth-child(5)")
    .allTextContents();
  expect(row).toMatch(/replicated, exact part/);
  const measured = (await cells(5)).filter((verdict) => verdict !== "planned").length;
  const home = await visit(browser, site, "light", 1280);
  try {
    const tally = home.page.locator(".tally", { hasText: "papers are measured" });
    expect(await tally.textContent()).toMatch(
      new RegExp(`^${measured} of 119 papers are measured: .*\\(\\d+ of these in part\\)`),
    );
  } finally {
    await home.close();
  }
});

test("nothing of it fails or complains", () => {
  expect(desk.troubles).toEqual([]);
});

test("a measured paper begins with its verdict, and every claim of it leads to its rule", async () => {
  const measured = await visit(browser, `${site}papers/attention-sorting`, "light", 1280);
  try {
    const verdict = measured.page.locator(".paper-verdict");
    expect(await verdict.locator("p").textContent()).toMatch(/^\w.*: \d claims, \d/);
    const claims = verdict.locator("li");
    expect(await claims.count()).toBe(await measured.page.locator(".verdict").count());
    for (const claim of await claims.all()) {
      expect(await claim.locator(".estimate").textContent()).toMatch(/ \[.+, .+\], n = \d+$/);
      const card = measured.page.locator((await claim.locator("a").getAttribute("href")) ?? "");
      expect(await card.locator(".rule").first().textContent()).toMatch(/^Rule: \w/);
    }
    const [top, method] = await Promise.all(
      [verdict, measured.page.locator("#how-it-is-measured-here")].map((of) => of.boundingBox()),
    );
    expect(top!.y + top!.height).toBeLessThan(method!.y);
    expect(top!.y).toBeLessThan(600);
  } finally {
    await measured.close();
  }
});

test("a planned paper has a page that says what is missing, without data", async () => {
  const planned = await visit(browser, `${site}papers/neural-phrase-based-mt`, "dark", 360);
  try {
    expect(await planned.page.locator("h2").allTextContents()).toContain("Not measured yet");
    expect(await planned.page.title()).toContain("Towards Neural Phrase-based Machine Translation");
    const requests = await planned.page.evaluate(() =>
      performance.getEntriesByType("resource").map(({ name }) => name),
    );
    expect(requests.filter((name) => /\.arrow|duckdb/.test(name))).toEqual([]);
    expect(await violations(planned.page)).toEqual([]);
    expect(planned.troubles).toEqual([]);
  } finally {
    await planned.close();
  }
});
