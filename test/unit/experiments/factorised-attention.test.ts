import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import {
  answered,
  type Evidence,
  factorisedAttention,
  fromSums,
  randomHead,
} from "../../../loaders/experiments/factorised-attention.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const [lengths, sizes] = [
  [64, 128, 256],
  [4, 8, 16],
];

const evidence = (
  cost: (length: number, size: number) => number,
  row: { difference: number; least: number; flatter: number },
): Evidence => {
  const around = (value: number) => [0.9, 1, 1.1].map((factor) => factor * value);
  return {
    seed: 1,
    resamples: 200,
    lengths,
    sizes,
    explicit: sizes.map((size) => lengths.map((length) => size * length ** 2)),
    factorised: sizes.map((size) => lengths.map((length) => cost(length, size))),
    differences: around(row.difference),
    least: around(row.least),
    flatter: around(row.flatter),
  };
};

describe("claims on factorised attention", () => {
  test("find a form that is exact, linear, dense and flat", () => {
    const planted = evidence((length, size) => size ** 3 * length, { difference: 1e-14, least: 0.3, flatter: 0.2 });
    const found = judged(factorisedAttention, planted);
    for (const { id } of factorisedAttention.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["crossover-grows-with-size"].estimate).toBeCloseTo(2);
  });

  test("find nothing of it in another", () => {
    const other = evidence((length, size) => size * length ** 2, { difference: 0.1, least: 1e-6, flatter: -0.1 });
    const found = judged(factorisedAttention, other);
    for (const { id } of factorisedAttention.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

test("sums over keys give what the matrix gives, and weights are positive", () => {
  const head = randomHead(new Random(2), 20, 5);
  const [direct, shared] = [answered(head), fromSums(head)];
  for (const [i, value] of direct.output.entries()) expect(shared.output[i]).toBeCloseTo(value, 12);
  expect(direct.least).toBeGreaterThan(0);
  expect(direct.entropy).toBeLessThan(Math.log(20));
});

test("every declared table gets its rows", async () => {
  const small = { lengths: [8, 16], sizes: [2, 4], size: 4, inputs: 2, resamples: 20 };
  const { batches } = await runPure(factorisedAttention, small);
  expectDeclaredRows(factorisedAttention, batches);
});
