/** What is added to the scores before the softmax: visibility, and biases that all layers and heads share. */
import type { Prompt } from "./forward.js";

/**
 * Added to the scores of hidden keys. Finite, so that no product with a probability of 0 becomes NaN, and far enough
 * down that exp gives exactly 0 in float32 beside any score that a model produces.
 */
export const hidden = -1e9;

/**
 * The additive mask of queries `start` to `end` (exclusive) over keys 0 to `end`.
 * @returns [queries, keys]
 */
export function maskOf({ pieces, keyBias }: Prompt, start: number, end: number): Float32Array {
  const shared = keyBias && keyBias.dims[0] * keyBias.dims[1] === 1 ? keyBias.data : undefined; // [tokens]
  const mask = new Float32Array((end - start) * end);
  for (let query = start; query < end; query++) {
    const row = mask.subarray((query - start) * end, (query - start + 1) * end); // [keys]
    if (shared) for (let key = 0; key < query; key++) row[key] = Math.max(shared[key], hidden);
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
