import { describe, expect, test } from "vitest";
import { type Evidence, marginOf, projectedRetrieval } from "../../../loaders/experiments/projected-retrieval.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

/** Pairs at the middles of bins, of which a share that falls at a rate is wrong. */
function pairs(rate: number) {
  return [0.25, 0.75, 1.5, 2.5, 3.5, 5].flatMap((strength) =>
    Array.from({ length: 400 }, (_, i) => ({ strength, wrong: i / 400 < 0.5 * Math.exp(rate * strength) })),
  );
}

const around = (value: number) => [0, 0.01, -0.01, 0.005].map((noise) => value + noise);
const evidence = (longest: number, rate: number, several: number): Evidence => ({
  seed: 1,
  resamples: 200,
  wrong: [around(0.1), around(longest)],
  pairs: [pairs(rate), pairs(rate), pairs(rate)],
  one: around(0.5),
  several: around(several),
});

describe("claims on retrieval", () => {
  test("find errors that grow with length and fall exponentially, and vectors that help", () => {
    const found = judged(projectedRetrieval, evidence(0.3, -0.5, 0.8));
    for (const { id } of projectedRetrieval.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["errors-fall-exponentially"].estimate).toBeCloseTo(-0.5, 1);
  });

  test("find nothing where errors are the same everywhere and vectors do not help", () => {
    const found = judged(projectedRetrieval, evidence(0.1, 0, 0.5));
    for (const { id } of projectedRetrieval.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

test("a margin is the cosine of query and difference", () => {
  // Query: word 0 once. Documents: word 0 twice against word 1 once; the difference is (2, −1).
  const { exact, strength } = marginOf(Int32Array.of(0), Int32Array.of(0, 0), Int32Array.of(1), 4, 10);
  expect(exact).toBe(2);
  expect(strength).toBeCloseTo(10 * (4 / 5));
  expect(marginOf(Int32Array.of(0), Int32Array.of(1), Int32Array.of(1), 4, 10).strength).toBe(0);
});

test("every declared table gets its rows", async () => {
  const small = { lengths: [16, 32], sizes: [4, 8], documents: 4, queries: 4, collections: 3, resamples: 20 };
  const { batches } = await runPure(projectedRetrieval, small);
  expectDeclaredRows(projectedRetrieval, batches);
});
