/** Keys that draw attention from everywhere. */
import { type Matrix, type Metric, sum } from "./metric.js";

/** A head has a sink where its first token receives more than this. */
export const sinkThreshold = 0.3;
/** A later key is a sink where it receives more than this. */
export const laterSinkThreshold = 0.1;

const xiao = "Xiao et al. 2023, https://arxiv.org/abs/2309.17453";
const gu = "Gu et al. 2024, https://arxiv.org/abs/2410.10781";
const yu = "Yu et al. 2024, https://arxiv.org/abs/2406.15765";

export const received: Metric<(attention: Matrix) => number[]> = {
  id: "received",
  version: 1,
  unit: "probability",
  formula: "α[k] = Σ_{q ≥ k} A[q,k] / (T − k)",
  edges: "The last keys are seen by few queries, above all by themselves: their α is high without being a sink's.",
  source: `${gu}; ${yu}`,
  reference: (attention) =>
    receivedPerQuery(attention.map((_, key) => sum(attention, (row, query) => (query < key ? 0 : row[key])))),
};

export const sinkRate: Metric<(heads: readonly Matrix[], threshold?: number) => number> = {
  id: "sink-rate",
  version: 1,
  unit: "share of heads",
  formula: "|{heads: α[0] > ε}| / heads, ε = 0.3",
  edges:
    "α[0] contains the first query's attention on itself, 1 by necessity: at T tokens that alone gives 1/T. Depends on T and ε; compare at equal ones.",
  source: `${gu}; the phenomenon: ${xiao}`,
  reference: (heads, threshold) =>
    shareAbove(
      heads.map((head) => received.reference(head)[0]),
      threshold,
    ),
};

export const laterSinks: Metric<(attention: Matrix, minimumQueries?: number, threshold?: number) => number[]> = {
  id: "later-sinks",
  version: 1,
  unit: "keys",
  formula: "{k ≥ 1: α[k] > 0.1}",
  edges:
    "Decided per prompt and head. Keys seen by fewer queries than a stated minimum (default 1: none) are left out, because their α is mostly their attention on themselves.",
  source: yu,
  reference: (attention, minimumQueries, threshold) =>
    keysAbove(received.reference(attention), minimumQueries, threshold),
};

/** @param sums Σ_q A[q,k] over all queries, for each key: one row of a forward pass's `received` */
export const receivedPerQuery = (sums: ArrayLike<number>): number[] =>
  Array.from(sums, (total, key) => total / (sums.length - key));

/** The share of heads whose first token receives more than the threshold. */
export const shareAbove = (first: ArrayLike<number>, threshold = sinkThreshold): number =>
  sum(first, (value) => (value > threshold ? 1 : 0)) / first.length;

/** Keys after the first that receive more than the threshold from at least so many queries. */
export function keysAbove(perQuery: ArrayLike<number>, minimumQueries = 1, threshold = laterSinkThreshold): number[] {
  const keys: number[] = [];
  for (let key = 1; key <= perQuery.length - minimumQueries; key++) if (perQuery[key] > threshold) keys.push(key);
  return keys;
}
