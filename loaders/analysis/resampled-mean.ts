import { type Interval, mean, quantile } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";

/**
 * Means over the same independent units (documents) with percentile bootstrap intervals, for the thousands of cells of
 * a table: one set of resamples, drawn once, serves them all. NaN marks a unit that says nothing about a cell.
 * Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
 */
export class ResampledMean {
  private readonly draws: readonly Uint16Array[]; // resamples × [units]: how often each unit is drawn

  constructor(
    private readonly units: number,
    { seed = 0, resamples = 500 }: { readonly seed?: number; readonly resamples?: number } = {},
  ) {
    const random = new Random(seed);
    this.draws = Array.from({ length: resamples }, () => {
      const counts = new Uint16Array(units);
      for (let i = 0; i < units; ++i) ++counts[random.int(units)];
      return counts;
    });
  }

  /** `values`: one per unit. */
  of(values: ArrayLike<number>): Interval {
    if (values.length !== this.units) throw new RangeError(`${values.length} values for ${this.units} units`);
    const defined = Array.from(values).filter((value) => !Number.isNaN(value));
    if (defined.length === 0) return { estimate: Number.NaN, low: Number.NaN, high: Number.NaN, n: 0 };
    const replicates: number[] = [];
    for (const counts of this.draws) {
      let sum = 0;
      let drawn = 0;
      for (let i = 0; i < this.units; ++i) {
        if (Number.isNaN(values[i])) continue;
        sum += counts[i] * values[i];
        drawn += counts[i];
      }
      if (drawn > 0) replicates.push(sum / drawn);
    }
    return {
      estimate: mean(defined),
      low: quantile(replicates, 0.025),
      high: quantile(replicates, 0.975),
      n: defined.length,
    };
  }
}
