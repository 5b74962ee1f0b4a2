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
