import type { Interval } from "../../engine/interval.js";

/** A number that is computed and not sampled: its interval is the number. @param n how many numbers it sums up */
export function exact(estimate: number, n: number): Interval {
  return { estimate, low: estimate, high: estimate, n };
}

/** For claims about formulas of which a check was known before their rule was written. */
export const knownBefore =
  "Figures of an earlier check of the same formulas, which the catalogue quotes, were known when the rule was written.";
