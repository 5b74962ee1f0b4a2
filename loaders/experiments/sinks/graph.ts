/**
 * Attention as a graph: how nearly a layer is a star, all tokens pointing at one.
 * Source: the metrics of "What are you sinking?" (catalogue: what-are-you-sinking), as its released notebooks have them.
 */

import type { Values } from "../../../engine/forward.js";

/** Attention of one layer, mean over its heads. */
export type Layer = readonly ArrayLike<number>[]; // queries × [keys]

/** @param attention [layers, heads, queries, keys] */
export function layersOf({ data, dims: [layers, heads, queries, keys] }: Values): Layer[] {
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: queries }, (_, query) => {
      const row = new Float64Array(keys);
      for (let head = 0; head < heads; ++head) {
        const at = ((layer * heads + head) * queries + query) * keys;
        for (let key = 0; key < keys; ++key) row[key] += data[at + key] / heads;
      }
      return row;
    }),
  );
}

export interface Graph {
  /** Largest in-degree ÷ (n − 1), edges where attention exceeds the threshold. */
  readonly star: number;
  /** Σ_k (largest in-degree − in-degree of k) ÷ (n − 1)². */
  readonly centralisation: number;
  /** The token with the largest in-degree. */
  readonly hub: number;
}

/** Edges to itself do not count: every token would have one. */
export function graphOf(layer: Layer, threshold: number): Graph {
  const n = layer.length;
  const degrees = Array.from({ length: n }, (_, key) =>
    layer.reduce((degree, row, query) => degree + Number(query !== key && row[key] > threshold), 0),
  );
  const largest = Math.max(...degrees);
  return {
    star: largest / (n - 1),
    centralisation: degrees.reduce((sum, degree) => sum + largest - degree, 0) / (n - 1) ** 2,
    hub: degrees.indexOf(largest),
  };
}

/** Uniform attention under a causal mask: what a graph looks like where nothing has been learned. */
export function uniformCausal(tokens: number): Layer {
  return Array.from({ length: tokens }, (_, query) =>
    Float64Array.from({ length: tokens }, (_, key) => (key <= query ? 1 / (query + 1) : 0)),
  );
}

/** Attention per key, summed over queries. */
export function receivedSums(layer: Layer): number[] {
  return layer.map((_, key) => layer.reduce((sum, row) => sum + row[key], 0));
}

/** Tokens whose mean attention over all n queries, those before them included, exceeds the threshold. */
export function referenceTokens(received: ArrayLike<number>, threshold: number): number[] {
  const n = received.length;
  return Array.from({ length: n }, (_, key) => key).filter((key) => received[key] / n > threshold);
}
