import type { Interval } from "../../engine/interval.js";
import type { Outcome } from "../experiment.js";

/**
 * The decision behind most rules: an effect is predicted to be positive, and effects below `margin` are too small to
 * matter. Replicated where the whole interval is above zero, not replicated where all of it is below the margin (so a
 * null result needs as much evidence as an effect), mixed where the data leave it open.
 */
export function expectPositive({ low, high }: Interval, margin: number): Outcome {
  if (low > 0) return "replicated";
  return high < margin ? "not replicated" : "mixed";
}

/** Claims with several parts: all, none, or some of them replicated. */
export function allOf(...outcomes: readonly Outcome[]): Outcome {
  if (outcomes.every((outcome) => outcome === "replicated")) return "replicated";
  return outcomes.every((outcome) => outcome === "not replicated") ? "not replicated" : "mixed";
}
