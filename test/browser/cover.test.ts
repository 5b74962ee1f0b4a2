/**
 * Pages on a phone and on a tablet, with each theme and each place that a host may give them among the cases (on a desk:
 * pages.test.ts); the whole product with `npm run test:full`. On all of them: no failed request, no message, nothing off
 * the machine, nothing that jumps, is cut off or is wider than the screen, and no fault that axe finds on a phone.
 */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { largestShift } from "../../loaders/bench/layout-shift.js";
import { full } from "../full.js";
import { type Case, caseOf, covered, everyCase, widths } from "./cases.js";
import { launchChromium } from "./chromium.js";
import { cutTexts, marks, overflow, screenshot, violations, visitCase } from "./visit.js";

const pairwise = covered.flatMap((page) => widths.map((width) => caseOf(page, width)));
const onDesk = widths[widths.length - 1];

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

test("the cases cover every pair of conditions", () => {
  const conditions = ["page", "width", "scheme", "place"] as const;
  for (const [i, one] of conditions.entries())
    for (const other of conditions.slice(i + 1)) {
      const pairs = (cases: readonly Case[]) => new Set(cases.map((of) => `${of[one]} ${of[other]}`)).size;
      expect(pairs(pairwise), `${one} and ${other}`).toBe(pairs(everyCase));
    }
});

test.each(full ? everyCase : pairwise.filter(({ width }) => width !== onDesk))(
  "/$page at $width pixels, $scheme, $place",
  async (one) => {
    const { page, troubles, close } = await visitCase(browser, one);
    try {
      expect(await largestShift(page)).toBeLessThanOrEqual(0.05);
      expect(await overflow(page)).toBe(0);
      expect(await cutTexts(page)).toEqual([]);
      const range = page.locator("main .control input[type=range]").first();
      if (await range.count()) await range.press("ArrowLeft"); // answers without a network
      await page.waitForFunction(() => document.querySelectorAll("main [aria-busy=true]").length === 0);
      const figures = await page.locator("main figure.figure").count();
      expect(await page.locator(marks).count()).toBeGreaterThanOrEqual(figures);
      if (one.width === 360) expect(await violations(page)).toEqual([]);
      await screenshot(page, `${one.page.replaceAll("/", "-") || "home"}-${one.width}-${one.scheme}`);
      expect(troubles).toEqual([]);
    } finally {
      await close();
    }
  },
);
