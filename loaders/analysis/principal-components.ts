/** Principal components of a set of vectors. */
import { mean } from "../../engine/interval.js";
import { singularValues } from "../../engine/theory/singular-values.js";

export interface Components {
  /** Variance along each component, falling. // [size] */
  readonly variances: Float64Array;
  /** One component after the other, each of length 1. // [size, size] */
  readonly basis: Float64Array;
}

/** Components of the centred covariance. @param vectors [n, size] */
export function principalComponents(vectors: ArrayLike<number>, size: number): Components {
  const n = vectors.length / size;
  const means = Array.from({ length: size }, (_, i) => {
    let sum = 0;
    for (let row = 0; row < n; ++row) sum += vectors[row * size + i];
    return sum / n;
  });
  const covariance = new Float64Array(size * size);
  const centred = new Float64Array(size);
  for (let row = 0; row < n; ++row) {
    for (let i = 0; i < size; ++i) centred[i] = vectors[row * size + i] - means[i];
    for (let i = 0; i < size; ++i) {
      for (let j = i; j < size; ++j) covariance[i * size + j] += (centred[i] * centred[j]) / n;
    }
  }
  for (let i = 0; i < size; ++i) for (let j = 0; j < i; ++j) covariance[i * size + j] = covariance[j * size + i];
  const { values, right } = singularValues(covariance, size); // of a covariance they are its eigenvalues and eigenvectors
  return { variances: values, basis: right };
}

/** How many components it takes to hold this share of the variance. */
export function rankAt(variances: ArrayLike<number>, share: number): number {
  const total = mean(variances) * variances.length;
  let sum = 0;
  for (let rank = 1; rank < variances.length; ++rank) {
    sum += variances[rank - 1];
    if (sum >= share * total) return rank;
  }
  return variances.length;
}
