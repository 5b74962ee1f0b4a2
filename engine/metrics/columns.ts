/** The metrics that have one value per head and query, and how to read them off a forward pass. */
import type { Forward, Request, Values } from "../forward.js";
import { firstTokenMass, previousTokenMass, selfMass, topMass } from "./mass.js";
import type { Metric, Row } from "./metric.js";
import { previousTargets } from "./patterns.js";
import { effectiveSupport, entropy, maximum, meanDistance, normalisedEntropy, normaliseEntropy } from "./rows.js";

/** A head by its place, both from 0. */
export interface HeadPlace {
  readonly layer: number;
  readonly head: number;
}

export interface RowMetric {
  /** @param visible how many keys the query sees */
  readonly metric: Metric<(row: Row, query: number, visible: number) => number>;
  /**
   * @param forward what a pass with `rowRequest` gave
   * @param visible how many keys each query sees
   * @returns [queries]
   */
  values(forward: Forward, place: HeadPlace, visible: ArrayLike<number>): Float32Array;
}

const top8 = topMass(8);

/** What to ask a forward pass for, so that all of `rowMetrics` can be read. */
export const rowRequest = (tokens: number): Request => ({
  rows: true,
  targets: [new Int32Array(tokens), Int32Array.from({ length: tokens }, (_, query) => query), previousTargets(tokens)],
  topMass: [8],
});

export const rowMetrics: readonly RowMetric[] = [
  { metric: entropy, values: ({ entropy }, place) => rowOf(entropy, place) },
  {
    metric: { ...normalisedEntropy, reference: (row, _, visible) => normalisedEntropy.reference(row, visible) },
    values: ({ entropy }, place, visible) =>
      rowOf(entropy, place).map((nats, query) => normaliseEntropy(nats, visible[query])),
  },
  { metric: effectiveSupport, values: ({ entropy }, place) => rowOf(entropy, place).map(Math.exp) },
  { metric: maximum, values: ({ maximum }, place) => rowOf(maximum, place) },
  { metric: meanDistance, values: ({ meanDistance }, place) => rowOf(meanDistance, place) },
  { metric: firstTokenMass, values: ({ pattern }, place) => rowOf(pattern, place, 0) },
  { metric: selfMass, values: ({ pattern }, place) => rowOf(pattern, place, 1) },
  { metric: previousTokenMass, values: ({ pattern }, place) => rowOf(pattern, place, 2) },
  { metric: top8, values: ({ topMass }, place) => rowOf(topMass, place, 0) },
];

/** One head's row of [layers, heads, queries], or of [layers, heads, columns, queries]. */
function rowOf(values: Values | undefined, { layer, head }: HeadPlace, column = 0): Float32Array {
  if (!values) throw new Error("The forward pass was not asked for what a row metric needs: use rowRequest.");
  const { data, dims } = values;
  const columns = dims.length === 4 ? dims[2] : 1;
  const queries = dims[dims.length - 1];
  const row = (layer * dims[1] + head) * columns + column;
  return data.subarray(row * queries, (row + 1) * queries);
}
