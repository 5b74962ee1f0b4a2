/**
 * Singular values of small square matrices by one-sided Jacobi rotations: columns are turned against each other, two at
 * a time, until all are orthogonal; their lengths are then the singular values.
 * Source: J. Demmel and K. Veselić, "Jacobi's method is more accurate than QR", SIAM J. Matrix Anal. Appl. 13 (1992).
 */
import { dot } from "./matrix.js";

/** A = Σ_k values[k] · left[k] · right[k]ᵀ, values falling. */
export interface SingularValues {
  readonly values: Float64Array; // [size]
  /** Unit vectors, one a row; where the value is 0, a row of zeros. */
  readonly left: Float64Array; // [size, size]
  readonly right: Float64Array; // [size, size], unit vectors, one a row
}

const precision = 1e-12;
const mostSweeps = 60;

/** @param matrix [size, size] */
export function singularValues(matrix: Float64Array, size: number): SingularValues {
  const columns = transposed(matrix, size); // a column of A · V a row
  const turned = Float64Array.from({ length: size * size }, (_, at) => Number(at % size === Math.floor(at / size)));
  for (let sweep = 0; sweep < mostSweeps; ++sweep) {
    let largest = 0;
    for (let i = 0; i < size; ++i) {
      for (let j = i + 1; j < size; ++j) largest = Math.max(largest, orthogonalise(columns, turned, i, j, size));
    }
    if (largest < precision) break;
  }
  const lengths = Float64Array.from({ length: size }, (_, i) =>
    Math.sqrt(dot(columns, i * size, columns, i * size, size)),
  );
  const order = Array.from(lengths, (_, i) => i).sort((a, b) => lengths[b] - lengths[a]);
  const left = new Float64Array(size * size);
  const right = new Float64Array(size * size);
  for (const [row, from] of order.entries()) {
    for (let c = 0; c < size; ++c) {
      left[row * size + c] = lengths[from] > 0 ? columns[from * size + c] / lengths[from] : 0;
      right[row * size + c] = turned[from * size + c];
    }
  }
  return { values: Float64Array.from(order, (from) => lengths[from]), left, right };
}

/** Turns two rows of both matrices until the first's are orthogonal. @returns the cosine between them before */
function orthogonalise(columns: Float64Array, turned: Float64Array, i: number, j: number, size: number): number {
  const [a, b] = [i * size, j * size];
  const [aa, bb, ab] = [
    dot(columns, a, columns, a, size),
    dot(columns, b, columns, b, size),
    dot(columns, a, columns, b, size),
  ];
  if (ab === 0) return 0;
  const zeta = (bb - aa) / (2 * ab);
  const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const cosine = 1 / Math.sqrt(1 + tangent * tangent);
  const sine = cosine * tangent;
  for (const of of [columns, turned]) {
    for (let c = 0; c < size; ++c) {
      const [x, y] = [of[a + c], of[b + c]];
      of[a + c] = cosine * x - sine * y;
      of[b + c] = sine * x + cosine * y;
    }
  }
  return Math.abs(ab) / Math.sqrt(aa * bb);
}

function transposed(matrix: Float64Array, size: number): Float64Array {
  return Float64Array.from({ length: size * size }, (_, at) => matrix[(at % size) * size + Math.floor(at / size)]);
}
