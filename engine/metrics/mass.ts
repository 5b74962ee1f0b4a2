/** How much attention goes to a set of keys, or to a distance. */
import { type Matrix, type Metric, type Row, sum } from "./metric.js";

export const mass: Metric<(row: Row, weights: ArrayLike<number>) => number> = {
  id: "mass",
  version: 1,
  unit: "probability",
  formula: "Σ_k A[q,k] · w[k], w[k] = 1 on the segment and 0 elsewhere",
  edges: "Keys after the query count 0, so a segment that the query sees only in part gets only that part.",
  source: "Kobayashi et al. 2020 (attention weights as baseline), https://arxiv.org/abs/2004.10102",
  reference: (row, weights) => sum(row, (p, key) => p * weights[key]),
};

const clark = "Clark et al. 2019, https://arxiv.org/abs/1906.04341";

/** Attention of one query on one telling key, or on the most attended ones. */
type OfQuery = Metric<(row: Row, query: number) => number>;

export const firstTokenMass: OfQuery = {
  id: "first-token-mass",
  version: 1,
  unit: "probability",
  formula: "A[q,0]",
  edges: "1 for the first query. 0 where a window no longer reaches the first token.",
  source: "Xiao et al. 2023, https://arxiv.org/abs/2309.17453",
  reference: (row) => row[0],
};

export const selfMass: OfQuery = {
  id: "self-mass",
  version: 1,
  unit: "probability",
  formula: "A[q,q]",
  edges: "1 for the first query.",
  source: clark,
  reference: (row, query) => row[query],
};

export const previousTokenMass: OfQuery = {
  id: "previous-token-mass",
  version: 1,
  unit: "probability",
  formula: "A[q,q−1]",
  edges: "Undefined (NaN) for the first query.",
  source: clark,
  reference: (row, query) => (query === 0 ? Number.NaN : row[query - 1]),
};

/** Attention on the k most attended keys. */
export const topMass = (k: number): OfQuery => ({
  id: `top-${k}-mass`,
  version: 1,
  unit: "probability",
  formula: `sum of the ${k} largest A[q,k]`,
  edges: `All of the row where the query sees at most ${k} keys. Rises with k, falls with the number of visible keys.`,
  source: "Gupta et al. 2021, https://arxiv.org/abs/2106.06899",
  reference: (row) => sum(Float64Array.from(row).sort().subarray(-k)),
});

export const distanceOctaves: Metric<(attention: Matrix) => number[]> = {
  id: "distance-octaves",
  version: 1,
  unit: "share of attention",
  formula: "o_0 = Σ_q A[q,q] / T; o_i = Σ_q Σ_{d = 2^(i−1)}^{2^i − 1} A[q,q−d] / T for i ≥ 1",
  edges: "Sums to 1 over octaves. Fewer queries reach far distances, so compare only at equal T.",
  source:
    "Attention by distance as in Press et al. 2021, https://arxiv.org/abs/2108.12409; binned here by powers of two",
  reference: (attention) => {
    const byDistance = attention.map((_, d) => sum(attention, (row, query) => (query < d ? 0 : row[query - d])));
    return octaves(byDistance);
  },
};

/**
 * @param distances Σ_q A[q, q − d] for d from 0: one row of a forward pass's `distances`
 * @returns the share of all attention in each octave: 0, 1, 2–3, 4–7, … tokens back
 */
export function octaves(distances: ArrayLike<number>): number[] {
  const shares: number[] = [];
  for (let d = 0; d < distances.length; d++) {
    const octave = octaveOf(d);
    shares[octave] = (shares[octave] ?? 0) + distances[d] / distances.length;
  }
  return shares;
}

/** 0 for the token itself, 1 for the previous one, then one more with every doubling. */
export const octaveOf = (distance: number): number => 32 - Math.clz32(distance);
