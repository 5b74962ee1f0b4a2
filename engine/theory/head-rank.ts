/**
 * What heads of low rank can compute of a nearest-neighbour lookup: given points x_1 … x_N and a query y on the unit
 * sphere, return the x_i nearest to y. Loss: E ‖f̂ − f‖², of which always answering zero has 1.
 *
 * One head of full rank: softmax(β y · x_i) over the points, which is exact as β grows.
 * H heads of rank 1 with hard attention, N = 2: head h returns the x_i with the larger (q_h · y)(k_h · x_i), and the
 * answers are summed with weights a. With w = x_1 − x_2, whose direction is uniform, two heads agree with probability
 * C_gh = 1/2 + (2/π²) asin(q_g · q_h) asin(k_g · k_h), a head agrees with the target with probability
 * b_h = 1/2 + E_y[sign(q_h · y) asin(k_h · y)]/π, and the least loss is 1 − bᵀ C⁻¹ b, at a = C⁻¹ b.
 * Source: "On the Benefits of Rank in Attention Layers" (arXiv 2407.16153) and its code,
 * https://github.com/NoahAmsel/attention-formers; b for any dimension by quadrature is ours.
 */
import { Random } from "../random.js";
import { cholesky, solveLower } from "./cholesky.js";
import { dot, normals, softmax, unitVectors } from "./matrix.js";

/** Mean loss of one head of full rank on `samples` random lookups. */
export function fullRankLoss(points: number, width: number, beta: number, samples: number, seed: number): number {
  const random = new Random(seed);
  const weights = new Float64Array(points);
  let loss = 0;
  for (let sample = 0; sample < samples; ++sample) {
    const x = unitVectors(random, points, width); // [points, width]
    const y = unitVectors(random, 1, width); // [1, width]
    let nearest = 0;
    for (let i = 0; i < points; ++i) {
      weights[i] = beta * dot(x, i * width, y, 0, width);
      if (weights[i] > weights[nearest]) nearest = i;
    }
    softmax(weights);
    for (let c = 0; c < width; ++c) {
      let answer = 0;
      for (let i = 0; i < points; ++i) answer += weights[i] * x[i * width + c];
      loss += (answer - x[nearest * width + c]) ** 2 / samples;
    }
  }
  return loss;
}

export interface RankOneHeads {
  readonly queries: Float64Array; // [heads, width], of unit length
  readonly keys: Float64Array; // [heads, width], of unit length
  readonly width: number;
}

/** Random heads: a key direction at an angle from its query direction that is itself random, from 0 to π. */
export function randomHeads(random: Random, heads: number, width: number): RankOneHeads {
  const queries = unitVectors(random, heads, width);
  const keys = new Float64Array(queries.length);
  for (let start = 0; start < keys.length; start += width) {
    const query = queries.subarray(start, start + width);
    const aside = normals(random, width);
    const along = dot(aside, 0, query, 0, width);
    for (let c = 0; c < width; ++c) aside[c] -= along * query[c];
    const length = Math.sqrt(dot(aside, 0, aside, 0, width));
    const angle = Math.PI * random.next();
    for (let c = 0; c < width; ++c)
      keys[start + c] = Math.cos(angle) * query[c] + (Math.sin(angle) * aside[c]) / length;
  }
  return { queries, keys, width };
}

/** Least loss over all weights of these heads, for two points. */
export function rankOneLoss({ queries, keys, width }: RankOneHeads): number {
  const heads = queries.length / width;
  const agreement = new Float64Array(heads * heads); // C: [heads, heads]
  const target = new Float64Array(heads); // b: [heads]
  const table = agreementTable(width);
  for (let g = 0; g < heads; ++g) {
    target[g] = table(dot(queries, g * width, keys, g * width, width));
    for (let h = 0; h < heads; ++h) {
      const q = arcsine(dot(queries, g * width, queries, h * width, width));
      const k = arcsine(dot(keys, g * width, keys, h * width, width));
      agreement[g * heads + h] = 0.5 + (2 / Math.PI ** 2) * q * k;
    }
  }
  return 1 - quadraticForm(agreement, target);
}

const arcsine = (x: number) => Math.asin(Math.max(-1, Math.min(1, x)));

/**
 * b as a function of the cosine between query and key direction, tabulated by the angle t between them. With (r, φ) the
 * polar coordinates of y's projection on their plane, whose density is ∝ r (1 − r²)^((d − 4)/2), b is
 * 1/2 + E[sign(cos φ) asin(r cos(φ − t))]/π; r = sin ψ makes the density ∝ sin ψ cos^(d − 3) ψ, and d = 2 has r = 1.
 */
function agreementTable(width: number): (cosine: number) => number {
  const [angles, around, out] = [64, 240, 48];
  const radii = Array.from({ length: out }, (_, i) => {
    const psi = ((i + 0.5) / out) * (Math.PI / 2);
    return { r: Math.sin(psi), mass: Math.sin(psi) * Math.cos(psi) ** (width - 3) };
  });
  const rings = width === 2 ? [{ r: 1, mass: 1 }] : radii;
  const whole = rings.reduce((sum, { mass }) => sum + mass, 0);
  const values = Array.from({ length: angles + 1 }, (_, at) => {
    const t = (Math.PI * at) / angles;
    let sum = 0;
    for (const { r, mass } of rings) {
      for (let i = 0; i < around; ++i) {
        const phi = (2 * Math.PI * (i + 0.5)) / around;
        sum += (mass * Math.sign(Math.cos(phi)) * Math.asin(r * Math.cos(phi - t))) / around;
      }
    }
    return 0.5 + sum / whole / Math.PI;
  });
  return (cosine) => {
    const at = (Math.acos(Math.max(-1, Math.min(1, cosine))) / Math.PI) * angles;
    const below = Math.min(angles - 1, Math.floor(at));
    return values[below] + (at - below) * (values[below + 1] - values[below]);
  };
}

/** bᵀ C⁻¹ b; directions that others already span add nothing. */
function quadraticForm(matrix: Float64Array, vector: Float64Array): number {
  const solved = solveLower(cholesky(matrix, vector.length), vector); // L⁻¹ b
  return dot(solved, 0, solved, 0, solved.length);
}
