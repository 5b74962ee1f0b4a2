/**
 * A head's scores as sums over singular directions of its query–key matrix. With queries q = W_Q x̃ and keys k = W_K x̃
 * that are turned by their positions, the score of a pair at distance δ is x̃_iᵀ Ω x̃_j, Ω = W_Qᵀ R_{−δ} W_K. Ω has the
 * size of the model, its rank is that of a head: with the Cholesky factors W W ᵀ = L Lᵀ its singular value decomposition
 * follows from that of L_Qᵀ R_{−δ} L_K, and x̃ᵀ u_k from L⁻¹ q.
 * Source: "Sparse Attention Decomposition Applied to Circuit Tracing" (arXiv 2410.00340), for one Ω per head; one per
 * distance, for rotary positions, is ours.
 */
import { cholesky, solveLower } from "./cholesky.js";
import { dot } from "./matrix.js";
import { type SingularValues, singularValues } from "./singular-values.js";

/** Rotary position encoding of a head; no pairs where it has none. */
export interface Rotation {
  readonly pairs: readonly (readonly [first: number, second: number])[];
  readonly frequencies: ArrayLike<number>; // [pairs], radians per token
}

/** A head's vector, turned by a position; by a negative one, turned back. */
export function turned(vector: ArrayLike<number>, { pairs, frequencies }: Rotation, position: number): Float64Array {
  const result = Float64Array.from(vector);
  for (const [pair, [a, b]] of pairs.entries()) {
    const [cosine, sine] = [Math.cos(position * frequencies[pair]), Math.sin(position * frequencies[pair])];
    result[a] = cosine * vector[a] - sine * vector[b];
    result[b] = cosine * vector[b] + sine * vector[a];
  }
  return result;
}

export interface Projection {
  readonly matrix: Float64Array; // [headSize, width]
  readonly bias: Float64Array; // [headSize]
}

export class ScoreDirections {
  readonly #query: Float64Array; // L_Q
  readonly #key: Float64Array; // L_K
  readonly #decompositions = new Map<number, SingularValues>();

  constructor(
    query: Projection,
    key: Projection,
    readonly rotation: Rotation,
  ) {
    this.#query = cholesky(products(query), query.bias.length);
    this.#key = cholesky(products(key), key.bias.length);
  }

  /** The decomposition at a distance, in coordinates of L⁻¹ q and L⁻¹ k. */
  at(distance: number): SingularValues {
    const known = this.#decompositions.get(distance);
    if (known) return known;
    const size = Math.sqrt(this.#query.length);
    const core = new Float64Array(size * size); // L_Qᵀ R_{−δ} L_K
    for (let column = 0; column < size; ++column) {
      const key = Float64Array.from({ length: size }, (_, row) => this.#key[row * size + column]);
      const apart = turned(key, this.rotation, -distance);
      for (let row = 0; row < size; ++row) {
        for (let c = 0; c < size; ++c) core[row * size + column] += this.#query[c * size + row] * apart[c];
      }
    }
    const found = singularValues(core, size);
    this.#decompositions.set(distance, found);
    return found;
  }

  /** x̃ · u_k of a query as it was before it was turned. // [headSize] */
  alongQuery(query: ArrayLike<number>, distance: number): Float64Array {
    return along(this.at(distance).left, solveLower(this.#query, query));
  }

  /** v_k · x̃ of a key as it was before it was turned. // [headSize] */
  alongKey(key: ArrayLike<number>, distance: number): Float64Array {
    return along(this.at(distance).right, solveLower(this.#key, key));
  }
}

/** W Wᵀ of a projection with its bias as one more column. // [headSize, headSize] */
function products({ matrix, bias }: Projection): Float64Array {
  const size = bias.length;
  const width = matrix.length / size;
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    return dot(matrix, i * width, matrix, j * width, width) + bias[i] * bias[j];
  });
}

const along = (directions: Float64Array, vector: Float64Array): Float64Array =>
  vector.map((_, k) => dot(directions, k * vector.length, vector, 0, vector.length));

/**
 * The fewest terms that reach their sum: from the largest where it is positive, from the smallest where it is negative.
 * @returns their indices
 */
export function leadingTerms(terms: Float64Array): number[] {
  const total = terms.reduce((sum, term) => sum + term, 0);
  const sign = total < 0 ? -1 : 1;
  const order = Array.from(terms, (_, k) => k).sort((a, b) => sign * (terms[b] - terms[a]));
  let sum = 0;
  const needed = order.findIndex((k) => {
    sum += sign * terms[k];
    return sum >= sign * total * (1 - 1e-9); // all of them reach it but for rounding
  });
  return order.slice(0, needed < 0 ? order.length : needed + 1);
}
