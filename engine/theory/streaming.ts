/**
 * Attention in float32 as three programs, with every scratch buffer they need: the whole matrix of scores at once, and
 * tile by tile with a running maximum and sum per query, or with a sum only. Buffers come from `allocate`, so that what
 * is counted is what is used.
 * Source: "Self-attention Does Not Need O(n²) Memory" (arXiv 2112.05682), from memory of its algorithm.
 */
export interface Inputs {
  readonly queries: Float32Array; // [length, size]
  readonly keys: Float32Array; // [length, size]
  readonly values: Float32Array; // [length, size]
  readonly size: number;
}

export type Allocate = (words: number) => Float32Array;

export interface Tiles {
  readonly queries: number;
  readonly keys: number;
}

/** Words of scratch memory at once, outputs not counted: the whole matrix, or one tile with its running state. */
export function scratchWords(length: number, size: number, tiles?: Tiles): number {
  return tiles ? tiles.queries * (tiles.keys + 2 + size) : length * length;
}

/** softmax(q kᵀ) v with the matrix of scores in memory. // [length, size] */
export function wholeAttention({ queries, keys, values, size }: Inputs, allocate: Allocate): Float32Array {
  const length = queries.length / size;
  const scores = allocate(length * length); // [queries, keys]
  const output = new Float32Array(length * size);
  for (let q = 0; q < length; ++q) {
    const row = scores.subarray(q * length, (q + 1) * length);
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < length; ++k) {
      row[k] = score(queries, q, keys, k, size);
      most = Math.max(most, row[k]);
    }
    let sum = 0;
    for (let k = 0; k < length; ++k) {
      row[k] = Math.exp(row[k] - most);
      sum = Math.fround(sum + row[k]);
    }
    for (let k = 0; k < length; ++k)
      for (let c = 0; c < size; ++c) output[q * size + c] += (row[k] / sum) * values[k * size + c];
  }
  return output;
}

/**
 * The same, one tile of scores after the other. Without the running maximum it is the plain sum of exponentials, which
 * float32 cannot hold for scores above 88. // [length, size]
 */
export function tiledAttention(
  { queries, keys, values, size }: Inputs,
  tiles: Tiles,
  allocate: Allocate,
  withMaximum = true,
): Float32Array {
  const length = queries.length / size;
  const tile = allocate(tiles.queries * tiles.keys); // [tile queries, tile keys]
  const most = allocate(tiles.queries); // largest score so far
  const sum = allocate(tiles.queries); // of exp(score − largest)
  const mixed = allocate(tiles.queries * size); // [tile queries, size], values weighted by it
  const output = new Float32Array(length * size);
  for (let first = 0; first < length; first += tiles.queries) {
    const rows = Math.min(tiles.queries, length - first);
    most.fill(withMaximum ? Number.NEGATIVE_INFINITY : 0);
    sum.fill(0);
    mixed.fill(0);
    for (let start = 0; start < length; start += tiles.keys) {
      const columns = Math.min(tiles.keys, length - start);
      for (let r = 0; r < rows; ++r) {
        const row = tile.subarray(r * tiles.keys, r * tiles.keys + columns);
        let larger = most[r];
        for (let k = 0; k < columns; ++k) {
          row[k] = score(queries, first + r, keys, start + k, size);
          if (withMaximum) larger = Math.max(larger, row[k]);
        }
        const shrink = Math.exp(most[r] - larger); // 0 for the first tile
        most[r] = larger;
        sum[r] *= shrink;
        for (let c = 0; c < size; ++c) mixed[r * size + c] *= shrink;
        for (let k = 0; k < columns; ++k) {
          row[k] = Math.exp(row[k] - larger);
          sum[r] += row[k];
          for (let c = 0; c < size; ++c) mixed[r * size + c] += row[k] * values[(start + k) * size + c];
        }
      }
    }
    for (let r = 0; r < rows; ++r)
      for (let c = 0; c < size; ++c) output[(first + r) * size + c] = mixed[r * size + c] / sum[r];
  }
  return output;
}

/** Attention in float64. // [length, size] */
export function exactAttention({ queries, keys, values, size }: Inputs): Float64Array {
  const length = queries.length / size;
  const output = new Float64Array(length * size);
  const row = new Float64Array(length);
  for (let q = 0; q < length; ++q) {
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < length; ++k) {
      // The same float32 scores: what is compared is the softmax and the sum, not the product of queries and keys.
      row[k] = Math.fround(score(queries, q, keys, k, size));
      most = Math.max(most, row[k]);
    }
    let sum = 0;
    for (let k = 0; k < length; ++k) sum += Math.exp(row[k] - most);
    for (let k = 0; k < length; ++k)
      for (let c = 0; c < size; ++c) output[q * size + c] += (Math.exp(row[k] - most) / sum) * values[k * size + c];
  }
  return output;
}

function score(queries: Float32Array, q: number, keys: Float32Array, k: number, size: number): number {
  let sum = 0;
  for (let c = 0; c < size; ++c) sum += queries[q * size + c] * keys[k * size + c];
  return sum;
}

/** Largest absolute error, or NaN where an output is not finite. */
export function largestError(output: Float32Array, exact: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < output.length; ++i) {
    if (!Number.isFinite(output[i])) return Number.NaN;
    largest = Math.max(largest, Math.abs(output[i] - exact[i]));
  }
  return largest;
}
