import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { fullRankLoss, randomHeads, rankOneLoss } from "../../../engine/theory/head-rank.js";
import { dot, unitVectors } from "../../../engine/theory/matrix.js";
import { type Evidence, headRank } from "../../../loaders/experiments/head-rank.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const around = (value: number) => [value, value * 1.02, value * 0.98];
const evidence = (low: number, high: number, full: number): Evidence => ({
  seed: 1,
  resamples: 200,
  widths: [2, 16],
  budgets: [1, 32],
  lowRank: [
    [around(low), around(low)],
    [around(high), around(high)],
  ],
  fullRank: [around(full), around(full)],
});

describe("claims on rank", () => {
  test("find that low rank fails, the more so in more dimensions", () => {
    const found = judged(headRank, evidence(0.05, 0.3, 0.001));
    for (const { id } of headRank.claims) expect(found[id].outcome, id).toBe("replicated");
  });

  test("find nothing where low rank does as well and full rank fails", () => {
    const found = judged(headRank, evidence(0.001, 0.001, 0.5));
    for (const { id } of headRank.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

/** Loss of one head of rank 1 with its best weight, on random lookups among two points. */
function sampled(query: Float64Array, key: Float64Array, width: number, samples: number): number {
  const random = new Random(9);
  let along = 0;
  for (let sample = 0; sample < samples; ++sample) {
    const x = unitVectors(random, 2, width);
    const y = unitVectors(random, 1, width);
    const pick = (score: (i: number) => number) => (score(0) > score(1) ? 0 : width);
    const nearest = pick((i) => dot(x, i * width, y, 0, width));
    const asked = dot(query, 0, y, 0, width);
    const answer = pick((i) => asked * dot(key, 0, x, i * width, width));
    along += dot(x, nearest, x, answer, width) / samples;
  }
  return 1 - along ** 2; // E ‖answer‖² is 1
}

test.each([2, 3, 8])("the closed form is what random lookups give, in %i dimensions", (width) => {
  for (const seed of [1, 2, 3]) {
    const heads = randomHeads(new Random(seed), 1, width);
    expect(rankOneLoss(heads)).toBeCloseTo(sampled(heads.queries, heads.keys, width, 60_000), 1.5);
  }
});

test("a head twice is no better than once, and more heads never do worse", () => {
  const heads = randomHeads(new Random(1), 8, 4);
  const first = { ...heads, queries: heads.queries.slice(0, 4), keys: heads.keys.slice(0, 4) };
  const twice = { ...first, queries: Float64Array.of(...first.queries, ...first.queries) };
  const doubled = { ...twice, keys: Float64Array.of(...first.keys, ...first.keys) };
  expect(rankOneLoss(doubled)).toBeCloseTo(rankOneLoss(first), 6);
  expect(rankOneLoss(heads)).toBeLessThanOrEqual(rankOneLoss(first));
});

test("one head of full rank is exact as its scores grow, and no better than the mean at none", () => {
  expect(fullRankLoss(8, 4, 1e5, 300, 1)).toBeLessThan(0.001);
  expect(fullRankLoss(2, 4, 0, 2000, 1)).toBeCloseTo(0.5, 1);
});

test("every declared table gets its rows", async () => {
  const small = { widths: [2, 4], budgets: [1, 2], sets: 2, points: [2, 4], lookups: 10, batches: 2, resamples: 50 };
  const { batches } = await runPure(headRank, small);
  expectDeclaredRows(headRank, batches);
});
