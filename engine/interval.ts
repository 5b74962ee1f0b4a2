/** Estimates with 95 % intervals, over the units that were sampled independently (prompts, documents, seeds). */
import { Random } from "./random.js";

export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; ++i) sum += values[i];
  return sum / values.length;
}

/** Linear interpolation between order statistics (type 7 of Hyndman and Fan 1996, as in NumPy). */
export function quantile(values: ArrayLike<number>, p: number): number {
  return sortedQuantile(Float64Array.from(values).sort(), p);
}

function sortedQuantile(sorted: Float64Array, p: number): number {
  const at = (sorted.length - 1) * p;
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

export interface BootstrapOptions {
  readonly seed?: number;
  readonly resamples?: number;
}

/**
 * Percentile bootstrap of any statistic of independent units. Paired measurements are one unit.
 * Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
 */
export function bootstrap<T>(
  units: readonly T[],
  statistic: (units: readonly T[]) => number,
  options: BootstrapOptions = {},
): Interval {
  return bootstrapGroups([units], ([sample]) => statistic(sample), options);
}

/** The same for several independent groups, each resampled within itself. `n` is the smallest group's size. */
export function bootstrapGroups<T>(
  groups: readonly (readonly T[])[],
  statistic: (groups: readonly (readonly T[])[]) => number,
  { seed = 0, resamples = 2000 }: BootstrapOptions = {},
): Interval {
  const random = new Random(seed);
  const estimate = statistic(groups);
  const replicates = new Float64Array(resamples);
  for (let r = 0; r < resamples; ++r) {
    replicates[r] = statistic(groups.map((units) => units.map(() => units[random.int(units.length)])));
  }
  const defined = replicates.filter((value) => !Number.isNaN(value)).sort(); // a resample may lack a whole class
  const bound = (p: number) => (defined.length > 0 ? sortedQuantile(defined, p) : Number.NaN);
  return { estimate, low: bound(0.025), high: bound(0.975), n: Math.min(...groups.map((g) => g.length)) };
}

/** Wilson score interval of a proportion. Source: E. B. Wilson, JASA 22 (1927), 209–212. */
export function wilson(successes: number, n: number): Interval {
  const z = 1.959963984540054;
  const p = successes / n;
  const centre = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return { estimate: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half), n };
}

/** Ranks from 1; ties share their mean rank. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]] === values[order[start]]) ++end;
    for (let i = start; i < end; ++i) result[order[i]] = (start + end + 1) / 2;
    start = end;
  }
  return result;
}

/** Pearson's correlation; NaN where one side does not vary. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const mx = mean(x);
  const my = mean(y);
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < x.length; ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) ** 2;
    yy += (y[i] - my) ** 2;
  }
  return xx === 0 || yy === 0 ? Number.NaN : xy / Math.sqrt(xx * yy);
}

/** Spearman's rank correlation, ties by mean rank; NaN where one side does not vary. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return pearson(ranks(x), ranks(y));
}
