/**
 * Pages on a phone and on a tablet, with each theme, each place that a host may give them, and WebGPU or not, among the
 * cases (on a desk: pages.test.ts); the whole product with `npm run test:full`. On all of them: no failed request, no message, nothing off
 * the machine, nothing that jumps, is cut off or is wider than the screen, and no fault that axe finds on a phone.
 */
import { afterAll, expect, test } from "vitest";
import { largestShift } from "../../loaders/bench/layout-shift.js";
import { full } from "../full.js";
import { type Case, caseOf, covered, everyCase, widths } from "./cases.js";
import { Browsers } from "./chromium.js";
import { cutTexts, marks, overflow, screenshot, violations, visitCase } from "./visit.js";

const pairwise = covered.flatMap((page) => widths.map((width) => caseOf(page, width)));
const onDesk = widths[widths.length - 1];

/** What was seen without fault: pages × widths, and under which other conditions. */
const table: Record<string, Record<string, string>> = {};
function enter({ page, width, scheme, place, gpu }: Case): void {
  const row = table[`/${page}`] ?? {};
  const conditions = `${scheme}, ${place}, ${gpu}`;
  table[`/${page}`] = { ...row, [width]: full ? String(Number(row[width] ?? 0) + 1) : conditions };
}

const browsers = new Browsers();
afterAll(async () => {
  console.table(table);
  await browsers.close();
});

test("the cases cover every pair of conditions", () => {
  const conditions = ["page", "width", "scheme", "place", "gpu"] as const;
  for (const [i, one] of conditions.entries())
    for (const other of conditions.slice(i + 1)) {
      const pairs = (cases: readonly Case[]) => new Set(cases.map((of) => `${of[one]} ${of[other]}`)).size;
      expect(pairs(pairwise), `${one} and ${other}`).toBe(pairs(everyCase));
    }
});

test.each(full ? everyCase : pairwise.filter(({ width }) => width !== onDesk))(
  "/$page at $width pixels, $scheme, $place, $gpu",
  async (one) => {
    const { page, troubles, close } = await visitCase(browsers, one);
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
  },
);
