/**
 * Mean scores S(i,j) over many units, with the noise of a finite sample taken out of their variance.
 * For units a ≠ b with independent noise, E⟨x_a, x_b⟩ is the squared norm of the mean field alone.
 */
import { bootstrap, type Interval, mean } from "../../../engine/interval.js";
import { centred, keyCorrelation, keySlope, nonRelative } from "../../../engine/relativity.js";

function gram(units: readonly Float64Array[]): Float64Array {
  const n = units.length;
  const result = new Float64Array(n * n); // [units, units]
  for (let a = 0; a < n; ++a) {
    for (let b = 0; b < a; ++b) {
      let dot = 0;
      for (let i = 0; i < units[a].length; ++i) dot += units[a][i] * units[b][i];
      result[a * n + b] = dot;
      result[b * n + a] = dot;
    }
  }
  return result;
}

/** Sum over pairs of different units; a unit that a resample draws twice is still one unit. */
function crossPower(products: Float64Array, sample: readonly number[]): number {
  const n = Math.sqrt(products.length);
  let sum = 0;
  let pairs = 0;
  for (const a of sample) {
    for (const b of sample) {
      if (a === b) continue;
      sum += products[a * n + b];
      ++pairs;
    }
  }
  return sum / pairs;
}

export interface FieldReading {
  /** Var(N)/Var(S) of the mean field; NaN where the field cannot be told from noise. */
  readonly nonRelativity: Interval;
  /** Slope of the score over the key's index within queries, in score per token. */
  readonly slope: Interval;
  /** Mean over queries of the rank correlation of key index and mean score; noise pulls it towards 0. */
  readonly correlation: number;
  /** Standard deviation of the mean field over pairs of a query and an earlier key. */
  readonly spread: number;
}

/**
 * @param units scores of each independent unit // units × [tokens, tokens]
 * @param first keys before this one are left out
 */
export function readField(
  units: readonly Float64Array[],
  tokens: number,
  first: number,
  resamples: number,
): FieldReading {
  const residuals = gram(units.map((unit) => nonRelative(unit, tokens, first)));
  const whole = gram(units.map((unit) => centred(unit, tokens, first)));
  const indices = units.map((_, i) => i);
  const pairs = ((tokens - first) * (tokens - first - 1)) / 2;
  const signal = bootstrap(indices, (sample) => crossPower(whole, sample), { resamples });
  const ratio = bootstrap(indices, (sample) => crossPower(residuals, sample) / crossPower(whole, sample), {
    resamples,
  });
  return {
    nonRelativity: signal.low > 0 ? ratio : { ...ratio, estimate: Number.NaN, low: Number.NaN, high: Number.NaN },
    slope: bootstrap(
      units.map((unit) => keySlope(unit, tokens, first)),
      mean,
      { resamples },
    ),
    correlation: keyCorrelation(meanField(units), tokens, first),
    spread: Math.sqrt(Math.max(0, signal.estimate) / pairs),
  };
}

export function meanField(units: readonly Float64Array[]): Float64Array {
  const result = new Float64Array(units[0].length); // [tokens, tokens]
  for (const unit of units) for (let i = 0; i < result.length; ++i) result[i] += unit[i] / units.length;
  return result;
}

/**
 * Mean of S over late queries minus early ones at the same distances (1 … a quarter of the tokens): 0 where only the
 * distance counts. Late and early are the last and first third of the queries that have all those distances.
 */
export function drift(scores: ArrayLike<number>, tokens: number, first: number): number {
  const reach = Math.floor(tokens / 4);
  const start = first + reach;
  const third = Math.floor((tokens - start) / 3);
  const average = (from: number) => {
    let sum = 0;
    for (let query = from; query < from + third; ++query) {
      for (let distance = 1; distance <= reach; ++distance) sum += scores[query * tokens + query - distance];
    }
    return sum / (third * reach);
  };
  return average(tokens - third) - average(start);
}
