/** What one forward pass says about received attention. Heads are numbered through the layers: layer · heads + head. */
import type { Forward, Values } from "../../../engine/forward.js";
import { mean, spearman } from "../../../engine/interval.js";
import { keysAbove, receivedPerQuery } from "../../../engine/metrics/sinks.js";
import { row } from "../../analysis/vectors.js";

export interface Reading {
  readonly layers: number;
  readonly heads: number;
  readonly tokens: number;
  /** Attention per key, summed over queries, of each head. */
  readonly sums: readonly Float32Array[]; // layers · heads × [keys]
  /** The same divided by the number of queries that see the key: α. */
  readonly alpha: readonly (readonly number[])[]; // layers · heads × [keys]
  /** Later sinks of each head. */
  readonly sinks: readonly (readonly number[])[]; // layers · heads × keys
  readonly keyNorm: Values; // [layers, keyValueHeads, keys]
  readonly valueNorm: Values;
  readonly residualNorm: Values; // [layers + 1, tokens]
}

/** @param minimumQueries keys that fewer queries see are no later sinks: they mostly see themselves */
export function readingOf(forward: Forward, minimumQueries: number): Reading {
  const { received, keyNorm, valueNorm, residualNorm, tokens } = forward;
  if (!received || !keyNorm || !valueNorm || !residualNorm)
    throw new Error("A reading needs received attention and norms.");
  const [layers, heads] = received.dims;
  const sums = Array.from({ length: layers * heads }, (_, head) =>
    received.data.slice(head * tokens, (head + 1) * tokens),
  );
  const alpha = sums.map(receivedPerQuery);
  const sinks = alpha.map((of) => keysAbove(of, minimumQueries));
  return { layers, heads, tokens, sums, alpha, sinks, keyNorm, valueNorm, residualNorm };
}

/** The key–value head that a query head reads. */
export function keyValueHead({ heads, keyNorm }: Reading, head: number): number {
  return Math.floor((head % heads) / (heads / keyNorm.dims[1]));
}

/** Spearman correlation of key norm with α over keys of one head. */
export function normCorrelation(reading: Reading, head: number, { first, last }: Eligible): number {
  const norms = row(reading.keyNorm, Math.floor(head / reading.heads), keyValueHead(reading, head));
  return spearman(norms.subarray(first, last + 1), reading.alpha[head].slice(first, last + 1));
}

/** Attention per key of one layer, summed over queries, mean over its heads. */
export function layerSums({ sums, heads, tokens }: Reading, layer: number): number[] {
  const of = sums.slice(layer * heads, (layer + 1) * heads);
  return Array.from({ length: tokens }, (_, key) => mean(of.map((head) => head[key])));
}

/** The keys that can be later sinks: not the first, and seen by enough queries. */
export interface Eligible {
  readonly first: number;
  readonly last: number;
}

export const eligibleKeys = ({ first, last }: Eligible) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

export const groups = ["first token", "later sinks", "other tokens"] as const;
export type Group = (typeof groups)[number];

/** Mean of `values` over the keys of each group; NaN for a group without keys. */
export function groupMeans(values: ArrayLike<number>, sinks: ReadonlySet<number>): Record<Group, number> {
  const of: Record<Group, number[]> = { "first token": [], "later sinks": [], "other tokens": [] };
  for (let key = 0; key < values.length; ++key) {
    of[key === 0 ? "first token" : sinks.has(key) ? "later sinks" : "other tokens"].push(values[key]);
  }
  return {
    "first token": mean(of["first token"]),
    "later sinks": mean(of["later sinks"]),
    "other tokens": mean(of["other tokens"]),
  };
}
