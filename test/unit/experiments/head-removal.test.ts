import { describe, expect, test } from "vitest";
import { type Evidence, headRemoval } from "../../../loaders/experiments/head-removal.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const shares = [0.2, 0.5];
const around = (value: number) => [0.98, 1, 1.02, 1.01].map((factor) => value * factor);

interface Planted {
  /** Rise of the loss without each of eight heads. */
  readonly single: readonly number[];
  readonly fifth: number;
  readonly half: { readonly least: number; readonly random: number };
  readonly survivors: readonly number[];
}

const evidence = ({ single, fifth, half, survivors }: Planted): Evidence => ({
  seed: 1,
  resamples: 200,
  shares,
  single: around(1).map((factor) => single.map((rise) => rise * factor)),
  together: {
    least: [around(fifth), around(half.least)],
    most: [around(0.5), around(1)],
    random: [around(0.1), around(half.random)],
  },
  survivors: survivors.map(around),
});

describe("claims on removal", () => {
  test("find a model of which most is expendable", () => {
    const found = judged(
      headRemoval,
      evidence({
        single: [0.001, 0.002, 0.001, 0.003, 0.001, 0.002, 0.2, 0.3],
        fifth: 0.003,
        half: { least: 0.05, random: 0.4 },
        survivors: [0.3, 0.005],
      }),
    );
    for (const { id } of headRemoval.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["most-heads-are-expendable"].estimate).toBe(0.75);
  });

  test("find none where every head counts and no order is better", () => {
    const found = judged(
      headRemoval,
      evidence({
        single: [0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.2, 0.3],
        fifth: 0.2,
        half: { least: 0.4, random: 0.4 },
        survivors: [0.3, 0.4],
      }),
    );
    for (const { id } of headRemoval.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

test("heads are removed from a model, alone, together, and all but one", async () => {
  const parameters = { ...headRemoval.parameters, ranking: 2, documents: 2, tokens: 12, orders: 1, resamples: 20 };
  const run = await runSmall(headRemoval, parameters, { texts: texts(4, 60) });
  expectDeclaredRows(
    headRemoval,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  expect(run.tables.get("single")).toHaveLength(12);
  expect(run.tables.get("together")).toHaveLength(3 * 6);
  expect(run.tables.get("survivors")).toHaveLength(3);
  expect(run.evidence.single.flat().every(Number.isFinite)).toBe(true);
  expect(new Set(run.evidence.single[0]).size).toBeGreaterThan(6);
  expect(run.progress.every((share) => share < 1)).toBe(true);
});
