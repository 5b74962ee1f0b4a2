/** What the build has prepared is drawn without the database, and is what the database answers. */
import type { Browser, Page } from "playwright-core";
import { beforeAll, expect, inject, test } from "vitest";
import { full } from "../full.js";
import { openChromium } from "./chromium.js";
import { charts, settled } from "./visit.js";

const site = inject("site");

let browser: Browser;
beforeAll(async () => {
  browser = await openChromium();
});

/** What a page shows while requests for a file get no answer, or none that helps. */
async function shown(path: string, missing: RegExp, status?: number) {
  const context = await browser.newContext();
  try {
    const page: Page = await context.newPage();
    await page.route(missing, (route) => (status ? route.fulfill({ status }) : undefined));
    await page.goto(`${site}${path}`);
    await settled(page);
    return {
      passports: await page.locator("main .passport").count(),
      charts: await charts(page),
      said: await said(page),
    };
  } finally {
    await context.close();
  }
}

/** Its findings, but for what the page itself computes, and the numbers of its text. */
async function said(page: Page) {
  const texts = (selector: string) => page.locator(selector).allTextContents();
  return {
    claims: await texts("main .claim:not(div.figure > .claim)"),
    notes: await texts("main .figure .note:not(div.figure > .note)"),
    paragraphs: await texts("main > p"),
  };
}

async function saidWithoutScripts(path: string) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  try {
    const page = await context.newPage();
    await page.goto(`${site}${path}`);
    return await said(page);
  } finally {
    await context.close();
  }
}

test.each(full ? ["", "entropy", "sinks", "basin", "positional-bias", "model"] : ["basin"])(
  "/%s shows the same with its database and without it, and says the same without any script",
  async (path) => {
    const withoutDatabase = await shown(path, /duckdb\.wasm/);
    const withoutAnswers = await shown(path, /\/answers\//, 404);
    expect(withoutDatabase.charts.length).toBeGreaterThan(3);
    expect(withoutDatabase.said.claims.length).toBeGreaterThan(3);
    expect(withoutDatabase).toEqual(withoutAnswers);
    expect(await saidWithoutScripts(path)).toEqual(withoutDatabase.said);
  },
);

test("a page that is only read asks for no database; one that is used does", async () => {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${site}rank-collapse`);
    await settled(page);
    await page.waitForTimeout(2000); // longer than it would wait for its charts to be drawn
    const asked = () =>
      page.evaluate(() => performance.getEntriesByType("resource").filter(({ name }) => /duckdb/.test(name)).length);
    const unused = await asked();
    await page.mouse.move(100, 100);
    await page.waitForFunction(() => performance.getEntriesByName("database").length > 0);
    expect(await asked()).toBeGreaterThan(unused);
    expect(unused).toBe(1); // the package, which is a module of the page
  } finally {
    await context.close();
  }
});
