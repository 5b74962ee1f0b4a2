/** Everything that attention works on in one short prompt: its matrix, and the vectors on both sides of it. */
import type { Architecture } from "../../engine/architecture.js";
import type { Values } from "../../engine/forward.js";
import type { Model } from "../../engine/model.js";
import { groupOf } from "./head-weights.js";

export interface Vectors {
  readonly architecture: Architecture;
  readonly attention: Values; // [layers, heads, queries, keys]
  readonly queries: Values; // [layers, heads, tokens, headSize]
  readonly keys: Values; // [layers, keyValueHeads, tokens, headSize]
  readonly values: Values; // [layers, keyValueHeads, tokens, headSize]
  readonly residual: Values; // [layers + 1, tokens, width]
}

/** Memory grows with tokens². */
export async function vectorsOf(model: Model, ids: Int32Array): Promise<Vectors> {
  const { attention, queries, keys, values, residual } = await model.forward(
    { ids },
    { attention: true, vectors: true },
  );
  if (!attention || !queries || !keys || !values || !residual) throw new Error("the model reported no vectors");
  return { architecture: model.architecture, attention, queries, keys, values, residual };
}

/** One row of the last dimension. */
export function row({ data, dims }: Values, ...index: readonly number[]): Float32Array {
  const at = index.reduce((offset, i, axis) => offset * dims[axis] + i, 0);
  const length = dims[dims.length - 1];
  return data.subarray(at * length, (at + 1) * length);
}

/** Values as a head mixes them for a query, before the output projection. // [headSize] */
export function mixedValues({ architecture, attention, values }: Vectors, layer: number, head: number, query: number) {
  const mixed = new Float64Array(architecture.headSize);
  const weights = row(attention, layer, head, query);
  const group = groupOf(architecture, head);
  for (let key = 0; key <= query; ++key) {
    if (weights[key] === 0) continue;
    const value = row(values, layer, group, key);
    for (let c = 0; c < mixed.length; ++c) mixed[c] += weights[key] * value[c];
  }
  return mixed;
}
