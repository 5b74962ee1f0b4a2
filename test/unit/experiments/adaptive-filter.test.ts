import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import {
  adaptiveFilter,
  type Evidence,
  estimate,
  filters,
  simulate,
  squaredError,
} from "../../../loaders/experiments/adaptive-filter.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const evidence = (errors: readonly [number, number, number, number]): Evidence => {
  const around = (value: number) => [0.98, 1, 1.01, 1.02].map((factor) => factor * value);
  const [kalman, adaptive, precision, softmax] = errors.map(around);
  return { seed: 1, resamples: 200, errors: { Kalman: kalman, adaptive, precision, softmax } };
};

describe("claims on filters", () => {
  test("find their order", () => {
    const found = judged(adaptiveFilter, evidence([0.1, 0.15, 0.2, 0.5]));
    for (const { id } of adaptiveFilter.claims) expect(found[id].outcome, id).toBe("replicated");
  });

  test("find none where all are alike", () => {
    const found = judged(adaptiveFilter, evidence([0.2, 0.2, 0.2, 0.2]));
    for (const { id } of adaptiveFilter.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

const dynamics = { steps: 60, decay: 0.02, turn: 0.3, disturbance: 0.1, noise: 0.7, freedom: 4 };

test("without noise every filter that knows the dynamics sees the state as it is", () => {
  const { states, seen } = simulate({ ...dynamics, noise: 1e-6 }, new Random(1));
  for (const filter of ["Kalman", "precision", "adaptive"] as const)
    expect(squaredError(estimate(filter, seen, { ...dynamics, noise: 1e-6 }), states), filter).toBeLessThan(1e-6);
});

test("without disturbance the precisions are those of a Kalman filter with no prior", () => {
  const still = { ...dynamics, decay: 0, disturbance: 0 };
  const { states, seen } = simulate(still, new Random(2));
  const [precision, kalman] = [estimate("precision", seen, still), estimate("Kalman", seen, still)];
  const last = dynamics.steps - 1;
  expect(precision.re[last]).toBeCloseTo(kalman.re[last], 1);
  expect(squaredError(precision, states)).toBeLessThan(0.2);
});

test("every filter estimates every step", () => {
  const { seen } = simulate(dynamics, new Random(3));
  for (const filter of filters) expect(estimate(filter, seen, dynamics).re.every(Number.isFinite), filter).toBe(true);
});

test("every declared table gets its rows", async () => {
  const { batches } = await runPure(adaptiveFilter, { steps: 10, turns: [0, 1], paths: 3, resamples: 20 });
  expectDeclaredRows(adaptiveFilter, batches);
});
