import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { fidelity, holds, type Pairs, randomPairs, recall } from "../../../engine/theory/associative-memory.js";
import { associativeMemory, type Evidence } from "../../../loaders/experiments/associative-memory.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const keySizes = [16, 64, 256];
const repetitions = [1, 1.02, 0.98, 1.01];

const evidence = (exponent: { worst: number; mean: number }, gain: number): Evidence => {
  const grown = (power: number) => repetitions.map((factor) => keySizes.map((size) => factor * size ** power));
  const cosines = (base: number) => repetitions.map((factor) => [base * factor, base]);
  return {
    seed: 1,
    resamples: 200,
    keySizes,
    capacities: { worst: grown(exponent.worst), signs: grown(0.7), mean: grown(exponent.mean) },
    fidelities: { linear: cosines(0.6), softmax: cosines(0.6 + gain), delta: cosines(0.6 + gain) },
  };
};

describe("claims on associative memory", () => {
  test("find planted exponents and better rules", () => {
    const found = judged(associativeMemory, evidence({ worst: 0.5, mean: 1 }, 0.2));
    for (const { id } of associativeMemory.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["worst-case-root"].estimate).toBeCloseTo(0.5);
  });

  test("find none where capacities do not follow them and rules are equal", () => {
    const found = judged(associativeMemory, evidence({ worst: 1, mean: 0.5 }, 0));
    for (const { id } of associativeMemory.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

/** Keys along the axes do not interfere. */
function orthogonal(size: number): Pairs {
  const keys = Float64Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0));
  return { ...randomPairs(new Random(1), size, size, 8), keys };
}

test("orthogonal keys are recalled without error, by every criterion and rule", () => {
  const pairs = orthogonal(16);
  expect(recall(pairs, "linear")).toEqual(pairs.values);
  expect(recall(pairs, "delta")).toEqual(pairs.values);
  for (const criterion of ["worst", "signs", "mean"] as const) expect(holds(pairs, criterion)).toBe(true);
});

test("one key for all pairs is not", () => {
  const pairs = { ...orthogonal(16), keys: Float64Array.from({ length: 256 }, (_, i) => Number(i % 16 === 0)) };
  for (const criterion of ["worst", "signs", "mean"] as const) expect(holds(pairs, criterion)).toBe(false);
  expect(fidelity(pairs, "softmax")).toBeLessThan(0.5);
});

test("every declared table gets its rows", async () => {
  const small = { keySizes: [8, 16], repetitions: 2, trials: 2, memories: 2, ruleKeySize: 8, resamples: 50 };
  const { batches } = await runPure(associativeMemory, small);
  expectDeclaredRows(associativeMemory, batches);
});
