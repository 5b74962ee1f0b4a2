/** Dense float64 matrices, row after row in one array, for models small enough to be exact. */
import type { Random } from "../random.js";

/** @returns a · b // [rows, columns] @param a [rows, inner] @param b [inner, columns] */
export function multiply(a: Float64Array, b: Float64Array, inner: number): Float64Array {
  const rows = a.length / inner;
  const columns = b.length / inner;
  const product = new Float64Array(rows * columns); // [rows, columns]
  for (let i = 0; i < rows; ++i) {
    for (let k = 0; k < inner; ++k) {
      const factor = a[i * inner + k];
      for (let j = 0; j < columns; ++j) product[i * columns + j] += factor * b[k * columns + j];
    }
  }
  return product;
}

/** Σ x[a + c] · y[b + c] over `width` components. */
export function dot(x: ArrayLike<number>, a: number, y: ArrayLike<number>, b: number, width: number): number {
  let sum = 0;
  for (let c = 0; c < width; ++c) sum += x[a + c] * y[b + c];
  return sum;
}

export function normals(random: Random, length: number, deviation = 1): Float64Array {
  return Float64Array.from({ length }, () => deviation * random.normal());
}

/** Points uniform on the unit sphere. // [count, width] */
export function unitVectors(random: Random, count: number, width: number): Float64Array {
  const points = normals(random, count * width);
  for (let start = 0; start < points.length; start += width) {
    const length = Math.sqrt(dot(points, start, points, start, width));
    for (let c = 0; c < width; ++c) points[start + c] /= length;
  }
  return points;
}

/** Softmax of `scores` in place, stable for any finite scores. */
export function softmax(scores: Float64Array): void {
  let most = Number.NEGATIVE_INFINITY;
  for (const score of scores) most = Math.max(most, score);
  let sum = 0;
  for (let i = 0; i < scores.length; ++i) {
    scores[i] = Math.exp(scores[i] - most);
    sum += scores[i];
  }
  for (let i = 0; i < scores.length; ++i) scores[i] /= sum;
}
