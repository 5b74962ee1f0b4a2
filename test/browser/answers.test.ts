/** What the build has prepared is drawn without the database, and is what the database answers. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { full } from "../full.js";
import { launchChromium } from "./chromium.js";
import { charts, settled } from "./visit.js";

const site = inject("site");

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** What a page shows while requests for a file get no answer, or none that helps. */
async function shown(path: string, missing: RegExp, status?: number) {
  const context = await browser.newContext();
  try {
    const page: Page = await context.newPage();
    await page.route(missing, (route) => (status ? route.fulfill({ status }) : undefined));
    await page.goto(`${site}${path}`);
    await settled(page);
    return {
      claims: await page.locator("main figure.figure .claim").allTextContents(),
      passports: await page.locator("main .passport").count(),
      charts: await charts(page),
    };
  } finally {
    await context.close();
  }
}

test.each(full ? ["", "entropy", "sinks", "basin", "positional-bias", "model"] : ["", "basin"])(
  "/%s shows the same with its database and without it",
  async (path) => {
    const withoutDatabase = await shown(path, /duckdb\.wasm/);
    const withoutAnswers = await shown(path, /\/answers\//, 404);
    expect(withoutDatabase.charts.length).toBeGreaterThan(3);
    expect(withoutDatabase).toEqual(withoutAnswers);
  },
);

test("a page says its findings and the numbers of its text without any script", async () => {
  const said = async (javaScriptEnabled: boolean) => {
    const context = await browser.newContext({ javaScriptEnabled });
    try {
      const page = await context.newPage();
      await page.goto(`${site}basin`);
      if (javaScriptEnabled) await settled(page);
      const texts = (selector: string) => page.locator(selector).allTextContents();
      return {
        claims: await texts("main .claim"),
        notes: await texts("main .figure .note"),
        paragraphs: await texts("main > p"),
      };
    } finally {
      await context.close();
    }
  };
  const without = await said(false);
  expect(without.claims.length).toBeGreaterThan(5);
  expect(without).toEqual(await said(true));
});
