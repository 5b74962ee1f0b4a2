/**
 * How far weights move where scores move a little, at a temperature T: the softmax of (l + ε v) ÷ T against that of
 * l ÷ T, and the exact limit of it in the worst direction.
 * Source of the former: "Limitations of Normalization in Attention Mechanism" (arXiv 2508.17821).
 */
import { softmax } from "./matrix.js";

/** After as many, what is left of an interval within [0, 1] is below the rounding of a weight. */
const halvings = 52;

/** @param scores any constant may be added to them // [keys] */
export function cooled(scores: ArrayLike<number>, temperature: number): Float64Array {
  const weights = Float64Array.from(scores, (score) => score / temperature);
  softmax(weights);
  return weights;
}

/** ‖softmax((l + ε v) ÷ T) − softmax(l ÷ T)‖ ÷ ε. @param direction a unit vector // [keys] */
export function response(scores: Float64Array, direction: Float64Array, temperature: number, step: number): number {
  const before = cooled(scores, temperature);
  const after = cooled(
    scores.map((score, i) => score + step * direction[i]),
    temperature,
  );
  let square = 0;
  for (let i = 0; i < after.length; ++i) square += (after[i] - before[i]) ** 2;
  return Math.sqrt(square) / step;
}

/**
 * Spectral norm of the softmax's Jacobian (diag(a) − a aᵀ) ÷ T. The largest eigenvalue lies between the two largest
 * weights, where Σ a_i² ÷ (a_i − λ) = 1; the sum rises with λ there, so that halving finds it. At most 1 ÷ 2T, in a tie
 * of two.
 * @param weights at that temperature // [keys]
 */
export function jacobianNorm(weights: Float64Array, temperature: number): number {
  let [low, high] = [0, 0]; // the second largest weight and the largest
  for (const weight of weights) {
    if (weight > high) [low, high] = [high, weight];
    else if (weight > low) low = weight;
  }
  for (let halving = 0; halving < halvings && low < high; ++halving) {
    const middle = (low + high) / 2;
    let sum = 0;
    for (const weight of weights) sum += weight ** 2 / (weight - middle);
    if (sum < 1) low = middle;
    else high = middle;
  }
  return high / temperature;
}
