import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Model } from "../../../engine/model.js";
import { withoutDimensions } from "../../../loaders/analysis/head-weights.js";
import { row } from "../../../loaders/analysis/vectors.js";
import { openBackend } from "../../../loaders/devices.js";
import { agreement, type Evidence, massiveValues, type Sizes } from "../../../loaders/experiments/massive-values.js";
import { fileSource } from "../../../loaders/files.js";
import { root } from "../../../loaders/project.js";
import { factRecords } from "./facts.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const around = (value: number) => [0.98, 1, 1.02, 1.01].map((factor) => value * factor);
const byKind = (attended: number, values: number) => ({
  queries: around(attended),
  keys: around(attended),
  values: around(values),
});
const units = (whole: number, cut: number) => around(cut).map((of) => ({ whole, cut: of }));

/** What is left of accuracies of 0.8 (facts) and 0.4 (text) without each pair. */
const evidence = (of: {
  readonly ratio: number;
  readonly massive: number;
  readonly place: number;
  readonly agreement: number;
  readonly largest: readonly [context: number, text: number];
  readonly others: number;
  /** Facts without each random set; none: one set like the others. */
  readonly random?: readonly number[];
}): Evidence => ({
  seed: 1,
  resamples: 200,
  ratios: { trained: byKind(of.ratio, 1.5), "random weights": byKind(1.5, 1.5) },
  massive: byKind(of.massive, 0),
  slowness: around(of.place),
  agreement: around(of.agreement),
  costs: {
    largest: [{ context: units(0.8, of.largest[0]), text: units(0.4, of.largest[1]) }],
    "next in frequency": [{ context: units(0.8, of.others), text: units(0.4, 0.39) }],
    random: (of.random ?? [of.others]).map((cut) => ({ context: units(0.8, cut), text: units(0.4, 0.39) })),
    smallest: [{ context: units(0.8, 0.79), text: units(0.4, 0.39) }],
  },
});

describe("claims on massive values", () => {
  test("find them where they are planted, with what they are for", () => {
    const planted = { ratio: 4, massive: 0.4, place: 0.9, agreement: 0.5, largest: [0.1, 0.38], others: 0.7 } as const;
    const found = judged(massiveValues, evidence(planted));
    for (const { id } of massiveValues.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["context-suffers-more"].estimate).toBeCloseTo(0.875 - 0.05, 1);
  });

  test("know that random pairs could have been others", () => {
    const planted = { ratio: 4, massive: 0.4, place: 0.9, agreement: 0.5, largest: [0.4, 0.38], others: 0.5 } as const;
    const outcome = (random: readonly number[]) =>
      judged(massiveValues, evidence({ ...planted, random }))["massive-matters-more-than-random"].outcome;
    expect(outcome([0.5, 0.5, 0.5])).toBe("replicated");
    expect(outcome([0.3, 0.4, 0.8])).toBe("mixed");
  });

  test("find none where queries and keys are like values, and no pair matters more", () => {
    const none = { ratio: 1.5, massive: 0, place: 0.5, agreement: 0, largest: [0.7, 0.35], others: 0.7 } as const;
    const found = judged(massiveValues, evidence(none));
    for (const { id } of massiveValues.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

test("heads of a layer agree on a pair as often as they do, less chance", () => {
  const pairs = [
    {
      dimensions: [
        [0, 2],
        [1, 3],
      ] as const,
      of: [0, 1, 0, 1],
    },
  ];
  const largest = (dimension: number) => Float64Array.from({ length: 4 }, (_, c) => (c === dimension ? 3 : 1));
  const of = (dimensions: readonly number[]): Sizes => {
    const heads = { queries: dimensions.map(largest), keys: dimensions.map(largest), values: dimensions.map(largest) };
    return { all: heads, later: heads };
  };
  expect(agreement(of([0, 2, 0]), pairs)).toBe(0.5); // dimensions 0 and 2 are one pair
  expect(agreement(of([0, 1]), pairs)).toBe(-0.5);
});

test("dimensions that are removed are 0 in queries and keys, and no others", async () => {
  const checkpoint = await openCheckpoint(fileSource(`${root}/test/golden/checkpoints/llama`));
  const cut = withoutDimensions(checkpoint, [
    { layer: 1, part: "query", head: 3, dimensions: [1] },
    { layer: 0, part: "key", head: 1, dimensions: [0, 4] },
  ]);
  const model = await Model.load(cut, await openBackend("cpu", { threads: 1 }));
  const { queries, keys } = await model.forward({ ids: Int32Array.of(0, 5, 9, 17) }, { vectors: true });
  await model.release();
  const { headSize } = checkpoint.architecture;
  const zeros = (vector: Float32Array | undefined) => Array.from(vector ?? []).flatMap((x, c) => (x === 0 ? [c] : []));
  expect(keys && zeros(row(keys, 0, 1, 0))).toEqual([0, 4]); // the first position turns nothing
  expect(queries && zeros(row(queries, 1, 3, 0))).toEqual([1]);
  expect(queries && zeros(row(queries, 1, 2, 0))).toEqual([]);
  expect(headSize).toBeGreaterThan(4);
});

test("dimensions are measured and removed in a real model", async () => {
  const parameters = {
    ...massiveValues.parameters,
    ...{ ranking: 1, documents: 2, tokens: 16, lists: 1, items: 3, questions: 2, draws: 1, resamples: 20 },
  };
  const run = await runSmall(massiveValues, parameters, { texts: texts(3, 60), records: factRecords(3) });
  expectDeclaredRows(
    massiveValues,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  const { layers, heads, headSize } = { layers: 3, heads: 4, headSize: run.tables.get("dimensions")!.length / (3 * 8) };
  expect(run.tables.get("dimensions")).toHaveLength(layers * (heads + 2 + 2) * headSize);
  expect(run.tables.get("costs")).toHaveLength(4 * 2);
  expect(run.evidence.ratios.trained.queries.every((ratio) => ratio >= 1)).toBe(true);
  expect(run.progress.every((share) => share < 1)).toBe(true);
});

test("a model without rotary positions is refused by name", async () => {
  const inputs = { texts: texts(22, 900), records: factRecords(20) };
  await expect(runSmall(massiveValues, massiveValues.parameters, inputs, { checkpoint: "gpt2" })).rejects.toThrow(
    /^massive-values asks for rotary frequencies, but layer 0 of this gpt2 model has none/,
  );
});
