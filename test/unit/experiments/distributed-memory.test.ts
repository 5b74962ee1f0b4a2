import { describe, expect, test } from "vitest";
import { intersection, memoryWeights, softmaxLine, softmaxWeights } from "../../../engine/theory/distributed-memory.js";
import { distributedMemory, type Evidence } from "../../../loaders/experiments/distributed-memory.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const evidence = (r2: number, correlation: number): Evidence => ({
  radius: 11,
  seed: 1,
  resamples: 200,
  lines: [5, 11, 20].map((radius) => ({ radius, beta: 10, r2 })),
  correlations: [correlation, correlation + 0.005, correlation - 0.005],
});

describe("claims on sparse distributed memory", () => {
  test("find a planted softmax", () => {
    const found = judged(distributedMemory, evidence(0.99, 0.98));
    for (const { id } of distributedMemory.claims) expect(found[id].outcome, id).toBe("replicated");
  });

  test("find none where weights do not follow it", () => {
    const found = judged(distributedMemory, evidence(0.5, 0.3));
    for (const { id } of distributedMemory.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

test("the overlap of two balls is what enumerating all addresses counts", () => {
  const bits = 9;
  const ones = (x: number) => x.toString(2).replaceAll("0", "").length;
  for (const radius of [0, 2, 4]) {
    for (const distance of [0, 1, 3, 6, 9]) {
      const other = 2 ** distance - 1;
      const both = Array.from({ length: 2 ** bits }, (_, address) => address).filter(
        (address) => ones(address) <= radius && ones(address ^ other) <= radius,
      );
      expect(intersection(bits, radius, distance), `${radius}, ${distance}`).toBe(both.length);
    }
  }
});

test("slopes, divided as in the released code, are the published ones", () => {
  for (const [radius, published] of [
    [5, 35.48],
    [9, 20.04],
    [11, 15.9],
    [15, 10.1],
  ]) {
    expect((softmaxLine(64, radius).beta * radius) / (radius - 1)).toBeCloseTo(published, published > 16 ? 1 : 0);
  }
});

test("both readings are shares", () => {
  const distances = [0, 3, 7, 12, 20];
  for (const weights of [memoryWeights(64, 11, distances), softmaxWeights(64, 14, distances)])
    expect(weights.reduce((sum, weight) => sum + weight)).toBeCloseTo(1);
});

test("every declared table gets its rows", async () => {
  const { batches } = await runPure(distributedMemory, { sets: 3, resamples: 50 });
  expectDeclaredRows(distributedMemory, batches);
});
