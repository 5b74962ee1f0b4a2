import type { Interval } from "../../engine/interval.js";
import type { Outcome } from "../experiment.js";

/**
 * The decision behind most rules: an effect is predicted to be positive, and effects below `margin` are too small to
 * matter. A null result needs as much evidence as an effect: where the data leave it open, the outcome is mixed.
 */
export function expectPositive({ low, high }: Interval, margin: number): Outcome {
  if (high < margin) return "not replicated";
  return low > 0 ? "replicated" : "mixed";
}

/** The same for an effect that is predicted to be negative. */
export function expectNegative({ estimate, low, high, n }: Interval, margin: number): Outcome {
  return expectPositive({ estimate: -estimate, low: -high, high: -low, n }, margin);
}

/** What `expectPositive` does, in words. @param margin with its unit */
export const positiveRule = (margin: string) =>
  `Not replicated where the whole 95 % interval is below ${margin}, too little to matter; otherwise replicated where all of it is above 0, and mixed where it is not.`;

/** What `expectNegative` does, in words. @param margin with its unit, as a positive number */
export const negativeRule = (margin: string) =>
  `Not replicated where the whole 95 % interval is above −${margin}, too little to matter; otherwise replicated where all of it is below 0, and mixed where it is not.`;

/** Claims with several parts: all, none, or some of them replicated. */
export function allOf(...outcomes: readonly Outcome[]): Outcome {
  if (outcomes.every((outcome) => outcome === "replicated")) return "replicated";
  return outcomes.every((outcome) => outcome === "not replicated") ? "not replicated" : "mixed";
}
