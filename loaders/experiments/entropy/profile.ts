/** How wide the rows of attention are, by the number of keys that they can see. */
import type { Forward } from "../../../engine/forward.js";
import { mean } from "../../../engine/interval.js";
import type { Bin } from "../../analysis/bins.js";
import { slope } from "../../analysis/slope.js";

export const metrics = ["entropy", "normalised", "support", "maximum", "first", "rest"] as const;
export type Metric = (typeof metrics)[number];

/** Below this share of attention outside the first token, how that share is spread is rounding noise. */
const LEAST_REST = 1e-3;

const plogp = (p: number) => (p > 0 ? p * Math.log(p) : 0);

/**
 * Metrics of one row of attention over n ≥ 2 visible keys.
 * - entropy H, in nats; normalised: H / ln n; support: exp H, in keys
 * - maximum: the largest weight; first: the weight a of the first key
 * - rest: entropy of the other keys' weights renormalised, (H + a ln a + (1 − a) ln (1 − a)) / (1 − a), by the chain
 *   rule of entropy; NaN where the first key takes all
 */
export function rowMetrics(entropy: number, visible: number, maximum: number, first: number): Record<Metric, number> {
  const others = 1 - first;
  return {
    entropy,
    normalised: entropy / Math.log(visible),
    support: Math.exp(entropy),
    maximum,
    first,
    rest: others < LEAST_REST ? Number.NaN : Math.max(0, entropy + plogp(first) + plogp(others)) / others,
  };
}

export interface Profile {
  readonly layers: number;
  readonly heads: number;
  /** Mean over the queries of each bin. */
  readonly values: Readonly<Record<Metric, Float64Array>>; // [layers, heads, bins]
}

/**
 * Means over the queries of each bin of visible keys: query q sees q + 1 keys.
 * @param forward asked for rows, and for the mass on the first token as its first key segment
 */
export function profileOf({ entropy, maximum, mass }: Forward, bins: readonly Bin[]): Profile {
  if (!entropy || !maximum || !mass) throw new Error("A profile needs rows and one key segment.");
  const [layers, heads, queries] = entropy.dims;
  const segments = mass.dims[2];
  const values = Object.fromEntries(
    metrics.map((metric) => [metric, new Float64Array(layers * heads * bins.length)]),
  ) as Record<Metric, Float64Array>;
  for (let head = 0; head < layers * heads; ++head) {
    bins.forEach(({ low, high }, b) => {
      const sums = new Map<Metric, { sum: number; n: number }>(metrics.map((metric) => [metric, { sum: 0, n: 0 }]));
      for (let visible = low; visible <= high; ++visible) {
        const at = head * queries + visible - 1;
        const first = mass.data[head * segments * queries + visible - 1];
        const row = rowMetrics(entropy.data[at], visible, maximum.data[at], first);
        for (const [metric, total] of sums) {
          if (Number.isNaN(row[metric])) continue;
          total.sum += row[metric];
          ++total.n;
        }
      }
      for (const [metric, { sum, n }] of sums) values[metric][head * bins.length + b] = sum / n; // NaN where n = 0
    });
  }
  return { layers, heads, values };
}

/** Rows that see fewer keys than this say little about width. */
const wide = ({ low }: Bin) => low >= 32;

/** Mean of a metric over heads and over the queries that see at least 32 keys. // [layers] */
export function layerMeans({ layers, heads, values }: Profile, metric: Metric, bins: readonly Bin[]): number[] {
  const queries = bins.map((bin) => (wide(bin) ? bin.high - bin.low + 1 : 0));
  const total = queries.reduce((a, b) => a + b, 0);
  return Array.from({ length: layers }, (_, layer) => {
    let sum = 0;
    for (let head = layer * heads; head < (layer + 1) * heads; ++head) {
      queries.forEach((n, b) => {
        if (n > 0) sum += n * values[metric][head * bins.length + b];
      });
    }
    return sum / (heads * total);
  });
}

/** Exponent of the largest weight over visible keys, from 32 keys up: least squares in logarithms, mean over heads. */
export function dilution({ layers, heads, values }: Profile, bins: readonly Bin[]): number {
  const used = bins.map((bin, b) => ({ ...bin, b })).filter(wide);
  const x = used.map(({ low, high }) => Math.log((low + high) / 2));
  return mean(
    Array.from({ length: layers * heads }, (_, head) =>
      slope(
        x,
        used.map(({ b }) => Math.log(values.maximum[head * bins.length + b])),
      ),
    ),
  );
}
