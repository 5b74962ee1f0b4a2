/** What is added to the scores before the softmax: visibility, and biases that all layers and heads share. */
import type { Broadcast, Prompt } from "./forward.js";

/**
 * Added to the scores of hidden keys. Finite, so that no product with a probability of 0 becomes NaN, and far enough
 * down that exp gives exactly 0 in float32 beside any score that a model produces.
 */
export const hidden = -1e9;

/** Whether all layers and heads have the same values. */
export const isShared = ({ dims }: Pick<Broadcast, "dims">): boolean => dims[0] * dims[1] === 1;

/** The graph's name for the mask of layers with this window. */
export const maskName = (window?: number): string => (window === undefined ? "mask" : `mask of ${window}`);

/**
 * The additive mask of queries `start` to `end` (exclusive) over keys 0 to `end`.
 * @param window a query sees itself and window − 1 tokens before it; none: all tokens before it
 * @returns [queries, keys]
 */
export function maskOf(prompt: Prompt, start: number, end: number, window = Infinity): Float32Array {
  const { pieces, keyBias, eviction } = prompt;
  const bias = keyBias && isShared(keyBias) ? keyBias.data : undefined; // [tokens]
  const evicted = eviction && isShared(eviction) ? eviction.data : undefined; // [tokens]
  const mask = new Float32Array((end - start) * end);
  for (let query = start; query < end; query++) {
    const row = mask.subarray((query - start) * end, (query - start + 1) * end); // [keys]
    if (bias) for (let key = 0; key < query; key++) row[key] = Math.max(bias[key], hidden);
    if (evicted) for (let key = 0; key < query; key++) if (query >= evicted[key]) row[key] = hidden;
    if (query >= window) row.fill(hidden, 0, query - window + 1);
    row.fill(hidden, query + 1);
    if (pieces && pieces[query] !== -1) {
      for (let key = 0; key < query; key++) {
        if (pieces[key] !== 0 && pieces[key] !== pieces[query]) row[key] = hidden;
      }
    }
  }
  return mask;
}

/**
 * 1 where a key comes before the query, 0 elsewhere: where biases per layer or head apply.
 * @returns [queries, keys]
 */
export function laterOf(start: number, end: number): Float32Array {
  const later = new Float32Array((end - start) * end);
  for (let query = start; query < end; query++) {
    const row = (query - start) * end;
    later.fill(1, row, row + query);
  }
  return later;
}

/**
 * How many keys each query sees in a layer with this window. Interventions that differ between heads are not counted.
 * @returns [queries]
 */
export function visibleKeys(prompt: Prompt, window = Infinity): Int32Array {
  const plain = !prompt.pieces && !prompt.eviction && !prompt.keyBias;
  return Int32Array.from({ length: prompt.ids.length }, (_, query) => {
    if (plain) return Math.min(query + 1, window);
    return maskOf(prompt, query, query + 1, window).reduce((n, bias) => n + (bias > hidden ? 1 : 0), 0);
  });
}
