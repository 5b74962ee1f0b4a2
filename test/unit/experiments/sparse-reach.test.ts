import { describe, expect, test } from "vitest";
import { bitsSet, countOf, firstGap, patterns, reached } from "../../../engine/theory/sparse-reach.js";
import { sparseReach } from "../../../loaders/experiments/sparse-reach.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

describe("claims on reach", () => {
  test("find the reach of powers of two", async () => {
    const { batches, evidence } = await runPure(sparseReach, { length: 256, keys: 9, layers: 9 });
    expectDeclaredRows(sparseReach, batches);
    const found = judged(sparseReach, evidence);
    for (const { id } of sparseReach.claims) expect(found[id].outcome, id).toBe("replicated");
  });

  test("do not find it for a window in its place", async () => {
    const { evidence } = await runPure(sparseReach, { length: 1024, keys: 11, layers: 12 });
    const { power, window, ...others } = evidence.reach;
    const swapped = {
      ...evidence,
      reach: { ...others, power: window, window: power },
      hops: evidence.hops.map(({ bits }, distance) => ({ hops: Math.ceil(distance / 10), bits })),
    };
    const found = judged(sparseReach, swapped);
    expect(found["reach-doubles"].outcome).toBe("not replicated");
    expect(found["reaches-more-at-equal-cost"].outcome).toBe("not replicated");
    expect(found["hops-are-bits"].outcome).toBe("not replicated");
  });
});

test("powers of two reach the binomial sums, and leave their first gap where every bit is set", () => {
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
  const states = reached(patterns.power(11), 1024, 10);
  let sum = 0;
  for (const [layer, state] of states.entries()) {
    sum += choose(10, layer);
    expect(countOf(state)).toBe(sum);
    expect(firstGap(state)).toBe(layer < 10 ? 2 ** (layer + 1) - 1 : 1024);
  }
});

test("a window grows by its width per layer, a dilated pattern misses odd distances", () => {
  expect(reached(patterns.window(5), 100, 3).map(countOf)).toEqual([1, 5, 9, 13]);
  expect(reached(patterns.dilated(5), 100, 3).map(firstGap)).toEqual([1, 1, 1, 1]);
});

test("all patterns are causal and have as many keys", () => {
  for (const of of Object.values(patterns)) {
    expect(new Set(of(11)(1023)).size).toBe(11);
    expect(of(11)(3).every((key) => key >= 0 && key <= 3)).toBe(true);
  }
});

test("bits", () => expect([0, 1, 2, 3, 255, 256].map(bitsSet)).toEqual([0, 1, 1, 2, 8, 1]));
