import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Random } from "../../../engine/random.js";
import { ScoreDirections } from "../../../engine/theory/score-directions.js";
import type { Vectors } from "../../../loaders/analysis/vectors.js";
import { tracedBy, traceOf } from "../../../loaders/experiments/query-key-directions/trace.js";
import { type Evidence, queryKeyDirections } from "../../../loaders/experiments/query-key-directions.js";
import { fileSource } from "../../../loaders/files.js";
import { root } from "../../../loaders/project.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const around = (value: number) => [0.98, 1, 1.02, 1.01].map((factor) => value * factor);

const evidence = (of: {
  readonly firing: number;
  readonly other: number;
  readonly basis: number;
  readonly traced: number;
  readonly others: number;
}): Evidence => ({
  seed: 1,
  resamples: 200,
  texts: around(1).map((factor) => ({
    firing: [of.firing * factor, of.firing],
    "not firing": [of.other * factor],
    "random basis": [of.basis * factor, of.basis],
    "random weights": [0.5],
  })),
  sequences: around(of.traced).map((traced) => ({ traced, others: of.others, chance: 0.1 })),
});

describe("claims on directions", () => {
  test("find few directions that lead to their source", () => {
    const planted = { firing: 0.1, other: 0.4, basis: 0.4, traced: 0.8, others: 0.2 };
    const found = judged(queryKeyDirections, evidence(planted));
    for (const { id } of queryKeyDirections.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["directions-lead-to-the-source"].estimate).toBeCloseTo(0.7, 1);
  });

  test("find none where a firing is like any other sum", () => {
    const none = { firing: 0.5, other: 0.5, basis: 0.5, traced: 0.1, others: 0.1 };
    const found = judged(queryKeyDirections, evidence(none));
    for (const { id } of queryKeyDirections.claims) expect(found[id].outcome, id).toBe("not replicated");
  });

  test("have nothing to trace where no head has a role", () => {
    const none = { ...evidence({ firing: 0.1, other: 0.4, basis: 0.4, traced: 0, others: 0 }), sequences: [] };
    expect(judged(queryKeyDirections, none)["directions-lead-to-the-source"].outcome).toBe(
      "not testable at this scale",
    );
  });
});

test("a signal is traced to the head that wrote it, and not to one that wrote along other directions", async () => {
  const { architecture } = await openCheckpoint(fileSource(`${root}/test/golden/checkpoints/llama`));
  const none = { pairs: [], frequencies: [] };
  const rows = (...of: number[]) => ({ matrix: Float64Array.from(of), bias: new Float64Array(2) });
  const [query, key] = [rows(3, 0, 0, 0, 0, 1, 0, 0), rows(0, 0, 1, 0, 0, 0, 0, 1)];
  const head = (output: readonly number[]) => ({
    scores: new ScoreDirections(query, key, none),
    rotation: none,
    key: key.matrix,
    output: Float64Array.from(output), // what its value (1, 0) writes comes first
    throughNorm: (part: ArrayLike<number>) => Float64Array.from(part),
  });
  const writer = head([0, 0, 1, 0, 0, 0, 0, 0]);
  const aside = head([0, 0, 0, 1, 0, 0, 0, 0]);
  const values = (dims: readonly number[], of: (at: number) => number) => ({
    data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, at) => of(at)),
    dims,
  });
  const vectors = [2, 2, 2, 2]; // layers, heads, tokens, head size
  const read: Vectors = {
    architecture: { ...architecture, layers: 2, heads: 2, keyValueHeads: 2, headSize: 2, width: 4 },
    attention: values(vectors, (at) => Number(at % 2 === Math.floor(at / 2) % 2)), // all on themselves
    queries: values(vectors, (at) => [3, 0.1][at % 2]),
    keys: values(vectors, (at) => [1, 0][at % 2]),
    values: values(vectors, (at) => [1, 0][at % 2]),
    residual: values([3, 2, 4], () => 1),
  };
  const trace = traceOf([writer, aside, writer, writer], read, 2, { query: 1, key: 0 }, new Random(1));
  expect(trace.traced[0]).toBeCloseTo(Math.sqrt(3), 6);
  expect(trace.traced[1]).toBeCloseTo(0, 6);
  expect(trace.others[1]).toBeCloseTo(1, 6);
  expect(tracedBy([trace], [0])[0]).toMatchObject({ traced: 1, others: expect.closeTo(0, 6), chance: 0.5 });
  expect(tracedBy([trace], [])).toEqual([]);
});

test("scores of a real model are split and counted", async () => {
  const parameters = {
    ...queryKeyDirections.parameters,
    ...{ documents: 2, tokens: 24, firing: 0.1, perHead: 2, untrained: 4, resamples: 20 },
    ...{ ranking: 1, sequences: 2, period: 6, threshold: 0.01 },
  };
  const run = await runSmall(queryKeyDirections, parameters, { texts: texts(2, 60) });
  expectDeclaredRows(
    queryKeyDirections,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  const shares = run.tables.get("counts")!.filter(({ condition }) => condition === "firing");
  expect(shares.reduce((sum, { share }) => sum + Number(share), 0)).toBeCloseTo(1, 6);
  expect(run.tables.get("heads")).toHaveLength(12);
  expect(run.evidence.sequences.length).toBeGreaterThan(0);
  expect(run.progress.every((share) => share < 1)).toBe(true);
});

test("a model that norms its queries is refused by name", async () => {
  const run = runSmall(queryKeyDirections, queryKeyDirections.parameters, {}, { checkpoint: "qwen3" });
  await expect(run).rejects.toThrow(/^query-key-directions .* layer 0 of this qwen3 model norms or clips/);
});
