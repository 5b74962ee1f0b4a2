/** How attention is shared among the items of a list. */
import { mass } from "./mass.js";
import { type Matrix, type Metric, sum } from "./metric.js";

/** Tokens of one item, the end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const basin = "“Attention Basin” 2025, https://arxiv.org/abs/2508.05128";

export const itemAttention: Metric<
  (heads: readonly Matrix[], queries: readonly number[], items: readonly Span[]) => number[]
> = {
  id: "item-attention",
  version: 1,
  unit: "share of the items' attention",
  formula:
    "A_j = mean over heads of a layer and queries q of the question of Σ_{k in item j} A[q,k], divided by Σ_j A_j",
  edges:
    "Not divided by the items' lengths: make them equal. Attention outside the items (sink, question) drops out by the scaling; undefined (NaN) where none falls on items.",
  source: `${basin}, as re-implemented by others; the scaling is ours`,
  reference: (heads, queries, items) => {
    const tokens = heads[0].length;
    return shares(
      items.map(({ start, end }) => {
        const weights = new Float64Array(tokens).fill(1, start, end);
        return sum(heads.flatMap((head) => queries.map((query) => mass.reference(head[query], weights))));
      }),
    );
  },
};

export const basinDepth: Metric<(attention: ArrayLike<number>) => number> = {
  id: "basin-depth",
  version: 1,
  unit: "ratio",
  formula: "min(A_1, A_n) / mean_{1 < j < n} A_j",
  edges:
    "Needs at least three items (NaN otherwise). Above 1 both ends exceed the middle; pure recency gives less than 1.",
  source: basin,
  reference: (attention) => {
    const n = attention.length;
    const middle = Array.from(attention).slice(1, -1);
    return n < 3 ? Number.NaN : Math.min(attention[0], attention[n - 1]) / (sum(middle) / (n - 2));
  },
};

/** Values divided by their sum. */
export function shares(values: readonly number[]): number[] {
  const total = sum(values);
  return values.map((value) => value / total);
}
