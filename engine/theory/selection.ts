/**
 * What a row of attention selects, as geometry: the N selected keys I of a row a over unit vectors x sum up to
 * s = Σ_I a_j x_j, and every key lies ‖a_i x_i − s‖ away from it.
 * Source: "Limitations of Normalization in Attention Mechanism" (arXiv 2508.17821).
 */
import { dot } from "./matrix.js";

/** Inner products of all vectors. // [count, count] @param vectors [count, width] */
export function gramOf(vectors: Float64Array, width: number): Float64Array {
  const count = vectors.length / width;
  const gram = new Float64Array(count * count); // [count, count]
  for (let i = 0; i < count; ++i) {
    for (let j = 0; j <= i; ++j) {
      const product = dot(vectors, i * width, vectors, j * width, width);
      gram[i * count + j] = product;
      gram[j * count + i] = product;
    }
  }
  return gram;
}

/** Keys from the largest weight to the smallest. */
export function byWeight(weights: ArrayLike<number>): number[] {
  return Array.from({ length: weights.length }, (_, key) => key).sort((a, b) => weights[b] - weights[a]);
}

export interface Separation {
  /** Σ ‖a_i x_i − s‖ over the keys that are not selected. */
  readonly distance: number;
  /** Share of the selected keys that lie nearer to s than every key that is not selected. */
  readonly separable: number;
}

/**
 * For the first N keys of an order, for each N: one walk along the order serves all.
 * @param weights of the first keys of the gram matrix // [keys]
 * @param gram [count, count], count ≥ keys
 * @param sizes rising, each below the number of keys
 */
export function separations(
  weights: ArrayLike<number>,
  gram: Float64Array,
  order: readonly number[],
  sizes: readonly number[],
): Separation[] {
  const keys = order.length;
  const count = Math.sqrt(gram.length);
  const along = new Float64Array(keys); // x_i · s
  let square = 0; // ‖s‖²
  let selected = 0;
  return sizes.map((size) => {
    for (; selected < size; ++selected) {
      const key = order[selected];
      square += weights[key] ** 2 * gram[key * count + key] + 2 * weights[key] * along[key];
      for (let i = 0; i < keys; ++i) along[i] += weights[key] * gram[key * count + i];
    }
    const distances = new Float64Array(keys); // in the order
    for (const [place, key] of order.entries()) {
      const own = weights[key] ** 2 * gram[key * count + key];
      distances[place] = Math.sqrt(Math.max(0, own - 2 * weights[key] * along[key] + square)); // below 0 by rounding only
    }
    const outside = distances.subarray(size);
    const radius = outside.reduce((least, distance) => Math.min(least, distance), Number.POSITIVE_INFINITY);
    return {
      distance: outside.reduce((sum, distance) => sum + distance, 0),
      separable: distances.subarray(0, size).filter((distance) => distance < radius).length / size,
    };
  });
}

/** The paper's ceiling of the distance, for the N largest weights. @param order by weight */
export function distanceCeiling(
  weights: ArrayLike<number>,
  gram: Float64Array,
  order: readonly number[],
  size: number,
): number {
  const count = Math.sqrt(gram.length);
  const square = (key: number) => gram[key * count + key];
  const [inside, outside] = [order.slice(0, size), order.slice(size)];
  const mass = inside.reduce((sum, key) => sum + weights[key], 0);
  const longest = Math.sqrt(Math.max(...inside.map(square)));
  let widest = 0; // squared distance of a selected key from one that is not
  for (const i of outside)
    for (const j of inside) widest = Math.max(widest, square(i) + square(j) - 2 * gram[i * count + j]);
  return (1 - mass) * Math.sqrt(widest) + longest * (mass * outside.length - (1 - mass));
}
