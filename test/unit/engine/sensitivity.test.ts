import { expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { normals, unitVectors } from "../../../engine/theory/matrix.js";
import { cooled, jacobianNorm, response } from "../../../engine/theory/sensitivity.js";

/** Largest eigenvalue of diag(a) − a aᵀ by repeated multiplication. */
function byPower(weights: Float64Array): number {
  let vector = unitVectors(new Random(1), 1, weights.length);
  let norm = 0;
  for (let i = 0; i < 2000; ++i) {
    const inner = weights.reduce((sum, weight, k) => sum + weight * vector[k], 0);
    const product = vector.map((value, k) => weights[k] * (value - inner));
    norm = Math.hypot(...product);
    vector = product.map((value) => value / norm);
  }
  return norm;
}

test("the norm of the Jacobian is its largest eigenvalue", () => {
  const random = new Random(2);
  for (const keys of [2, 3, 10, 40]) {
    const weights = cooled(normals(random, keys), 0.7);
    expect(jacobianNorm(weights, 0.7)).toBeCloseTo(byPower(weights) / 0.7, 8);
  }
});

test("it is greatest in a tie of two, and nothing where one key has all", () => {
  expect(jacobianNorm(Float64Array.of(0.5, 0.5, 0), 0.1)).toBeCloseTo(5);
  expect(jacobianNorm(Float64Array.of(0, 1, 0), 0.1)).toBeCloseTo(0);
  expect(jacobianNorm(new Float64Array(8).fill(1 / 8), 1)).toBeCloseTo(1 / 8);
});

test("small steps respond as the Jacobian does, and never more than its norm", () => {
  const random = new Random(4);
  const scores = normals(random, 12);
  const weights = cooled(scores, 0.5);
  const direction = unitVectors(random, 1, 12);
  const inner = weights.reduce((sum, weight, k) => sum + weight * direction[k], 0);
  const exact = Math.hypot(...weights.map((weight, k) => (weight * (direction[k] - inner)) / 0.5));
  expect(response(scores, direction, 0.5, 1e-6)).toBeCloseTo(exact, 5);
  expect(exact).toBeLessThanOrEqual(jacobianNorm(weights, 0.5));
});
