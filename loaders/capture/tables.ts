/** The tables of a capture: what their columns are, and how a forward pass fills them. */
import type { Architecture } from "../../engine/architecture.js";
import type { Forward, Values } from "../../engine/forward.js";
import { type HeadPlace, rowMetrics } from "../../engine/metrics/columns.js";
import type { Metric } from "../../engine/metrics/metric.js";
import { received } from "../../engine/metrics/sinks.js";
import type { ArrowFile, ColumnSpec } from "./arrow-file.js";

const index = (name: string, meaning: string): ColumnSpec => ({ name, kind: "int32", about: { meaning } });

const sequence = index("sequence", "number of the token sequence, from 0");
const layer = index("layer", "block of the model, from 0");
const head = index("head", "query head of the block, from 0");
const query = index("query", "position of the token that attends, from 0, start token included");
const key = index("key", "position of the token that is attended to, from 0, start token included");

const ofMetric = ({ id, version, unit, formula, edges, source }: Metric<unknown>): ColumnSpec => ({
  name: id,
  kind: "float32",
  about: { unit, formula, edges, source, version: String(version) },
});

/** Columns by the name of the file that holds them. */
export const tables = {
  statistics: [sequence, layer, head, query, ...rowMetrics.map(({ metric }) => ofMetric(metric))],
  received: [sequence, layer, head, key, ofMetric(received)],
  logits: [
    sequence,
    index("position", "position of the token whose successor is predicted, from 0"),
    index("token", "id in the vocabulary"),
    { name: "logit", kind: "float32", about: { meaning: "before the softmax, soft-capped where the model does" } },
  ],
  rows: [
    sequence,
    layer,
    head,
    query,
    key,
    {
      name: "probability",
      kind: "float32",
      about: { meaning: "attention of the query on the key, visible keys only" },
    },
  ],
} as const satisfies Record<string, readonly ColumnSpec[]>;

export type TableName = keyof typeof tables;

/** One sequence's part of the tables. */
export interface Filling {
  /** The sequence's number. */
  readonly sequence: number;
  readonly forward: Forward;
  readonly architecture: Architecture;
  /** How many keys each query sees: layers × [queries]. */
  readonly visible: readonly Int32Array[];
}

const heads = ({ layers, heads }: Architecture): HeadPlace[] =>
  Array.from({ length: layers * heads }, (_, i) => ({ layer: Math.floor(i / heads), head: i % heads }));

export async function addStatistics(file: ArrowFile, { sequence, forward, architecture, visible }: Filling) {
  for (const place of heads(architecture)) {
    const columns = rowMetrics.map(({ values }) => values(forward, place, visible[place.layer]));
    await file.append(forward.tokens, sequence, place.layer, place.head, { from: 0 }, ...columns);
  }
}

export async function addReceived(file: ArrowFile, { sequence, forward, architecture }: Filling) {
  const { tokens } = forward;
  for (const place of heads(architecture)) {
    const perQuery = ofHead(forward.received, place).map((sum, key) => sum / (tokens - key));
    await file.append(tokens, sequence, place.layer, place.head, { from: 0 }, perQuery);
  }
}

export async function addLogits(file: ArrowFile, { sequence, forward: { logits, tokens } }: Filling) {
  const { data, dims } = given(logits); // [tokens | 1, vocabulary]
  const [positions, vocabulary] = dims;
  for (let i = 0; i < positions; ++i) {
    const row = data.subarray(i * vocabulary, (i + 1) * vocabulary);
    await file.append(vocabulary, sequence, tokens - positions + i, { from: 0 }, row);
  }
}

/** @param matrix the attention of the head at that place, [queries · keys] */
export async function addRows(
  file: ArrowFile,
  { sequence, forward: { tokens }, visible }: Filling,
  { layer, head }: HeadPlace,
  matrix: Float32Array,
) {
  for (let query = 0; query < tokens; ++query) {
    const length = visible[layer][query];
    const first = query + 1 - length;
    const row = matrix.subarray(query * tokens + first, query * tokens + query + 1);
    await file.append(length, sequence, layer, head, query, { from: first }, row);
  }
}

/** The part of a tensor [layers, heads, …] that is one head's. */
export function ofHead(values: Values | undefined, { layer, head }: HeadPlace): Float32Array {
  const { data, dims } = given(values);
  const size = data.length / (dims[0] * dims[1]);
  const start = (layer * dims[1] + head) * size;
  return data.subarray(start, start + size);
}

export function given(values: Values | undefined): Values {
  if (!values) throw new Error("the forward pass lacks something that was asked for");
  return values;
}
