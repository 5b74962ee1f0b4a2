/**
 * The covered pages at one width, with each theme, each place that a host may give them, and WebGPU or not, among the
 * cases; the whole product with `npm run test:full`. On all of them: no failed request, no message, nothing off the
 * machine, nothing that jumps, is cut off or is wider than the screen, and no fault that axe finds on a phone.
 */
import { afterAll, expect, test } from "vitest";
import { largestShift } from "../../loaders/bench/layout-shift.js";
import { full } from "../full.js";
import { type Case, caseOf, covered, everyCase } from "./cases.js";
import { cutTexts, marks, overflow, screenshot, violations, visitCase } from "./visit.js";

/** Each width has a file of its own, because files run beside each other. */
export function cover(width: Case["width"]): void {
  /** What was seen without fault: under which conditions, or under how many. */
  const table: Record<string, Record<string, string>> = {};
  function enter({ page, scheme, place, gpu }: Case): void {
    const conditions = `${scheme}, ${place}, ${gpu}`;
    const cases = String(Number(table[`/${page}`]?.[width] ?? 0) + 1);
    table[`/${page}`] = { [width]: full ? cases : conditions };
  }
  afterAll(() => console.table(table));

  const cases = full ? everyCase.filter((one) => one.width === width) : covered.map((page) => caseOf(page, width));
  test.each(cases)("/$page at $width pixels, $scheme, $place, $gpu", async (one) => {
    const { page, troubles, close } = await visitCase(one);
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
      const hasAdapter = await page.evaluate(async () => !!(await navigator.gpu?.requestAdapter()));
      expect(hasAdapter).toBe(one.gpu === "WebGPU");
      enter(one);
    } finally {
      await close();
    }
  });
}
