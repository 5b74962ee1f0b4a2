/** The Cholesky factor of small symmetric matrices that are positive, or nearly so. */
import { dot } from "./matrix.js";

/** What is left of a direction that others span already, as a share of its length squared. */
const nothing = 1e-9;

/**
 * The lower triangle L with L · Lᵀ = the matrix. A direction that earlier ones span has a column of zeros.
 * @param matrix [size, size], symmetric
 */
export function cholesky(matrix: Float64Array, size: number): Float64Array {
  const factor = new Float64Array(size * size);
  for (let i = 0; i < size; ++i) {
    for (let j = 0; j < i; ++j) {
      const pivot = factor[j * size + j];
      const rest = matrix[i * size + j] - dot(factor, i * size, factor, j * size, j);
      factor[i * size + j] = pivot > 0 ? rest / pivot : 0;
    }
    const square = matrix[i * size + i];
    const left = square - dot(factor, i * size, factor, i * size, i);
    factor[i * size + i] = left > nothing * square ? Math.sqrt(left) : 0;
  }
  return factor;
}

/** L⁻¹ · vector; 0 along columns of zeros. @param factor as `cholesky` gives it */
export function solveLower(factor: Float64Array, vector: ArrayLike<number>): Float64Array {
  const size = vector.length;
  const solved = new Float64Array(size);
  for (let i = 0; i < size; ++i) {
    const pivot = factor[i * size + i];
    if (pivot > 0) solved[i] = (vector[i] - dot(factor, i * size, solved, 0, i)) / pivot;
  }
  return solved;
}
