/** On a desk, pages.test.ts opens every page; here are the other conditions. */
import { expect, test } from "vitest";
import { full } from "../full.js";
import { caseOf, covered, everyCase, widths } from "./cases.js";
import { cover } from "./cover.js";

test("the cases of the everyday suite cover every pair of conditions", () => {
  const pairwise = covered.flatMap((page) => widths.map((width) => caseOf(page, width)));
  const conditions = ["page", "width", "scheme", "place", "gpu"] as const;
  for (const [i, one] of conditions.entries())
    for (const other of conditions.slice(i + 1)) {
      const pairs = (cases: typeof everyCase) => new Set(cases.map((of) => `${of[one]} ${of[other]}`)).size;
      expect(pairs(pairwise), `${one} and ${other}`).toBe(pairs(everyCase));
    }
});

if (full) cover(1440);
