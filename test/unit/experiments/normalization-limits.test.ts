import { describe, expect, test } from "vitest";
import type { Model } from "../../../engine/model.js";
import { Random } from "../../../engine/random.js";
import { unitVectors } from "../../../engine/theory/matrix.js";
import {
  type Evidence,
  type Measures,
  normalizationLimits,
} from "../../../loaders/experiments/normalization-limits.js";
import { judgedOn, plantedModel } from "./planted.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const evidence = (measures: Measures, untrained: number): Evidence => {
  const noise = [0, 0.002, -0.002, 0.001, -0.001];
  return {
    ...{ seed: 1, resamples: 200 },
    trained: noise.map((by) => ({ ...measures, growth: measures.growth + by, separable: measures.separable + by })),
    untrained: noise.map((by) => untrained + by),
  };
};

const effect: Measures = {
  ...{ growth: 1, flattening: 0.4, fading: 0.5, critical: 0.06, selects: true },
  ...{ separable: 0.75, levelling: 0.05, cooling: -1 },
};
const none: Measures = {
  ...{ growth: 0, flattening: 0, fading: 0, critical: 0.5, selects: true },
  ...{ separable: 0.95, levelling: 0, cooling: 0 },
};

describe("claims on the limits of normalization", () => {
  test("find them where the paper has them", () => {
    const found = judged(normalizationLimits, evidence(effect, 0.5));
    for (const { id } of normalizationLimits.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["training-separates"].estimate).toBeCloseTo(0.25);
  });

  test("find none where rows select what they like", () => {
    const found = judged(normalizationLimits, evidence(none, 0.95));
    for (const { id } of normalizationLimits.claims) expect(found[id].outcome, id).toBe("not replicated");
  });

  test("see no loss where nothing is selected", () => {
    const found = judged(normalizationLimits, evidence({ ...effect, critical: 1 / 512, selects: false }, 0.5));
    expect(found["critical-number-is-small"].outcome).toBe("not replicated");
  });
});

describe("a run", () => {
  const parameters = {
    ...normalizationLimits.parameters,
    documents: 6,
    lengths: [32, 64, 96],
    rows: 2,
    resamples: 200,
  };
  const vocabulary = 97;
  const width = 64;
  const inputs = { texts: texts(parameters.documents, 200) };
  /** Heads attend as `row` says, over a vector of its own for every position. */
  const model = (row: (head: number, keys: number) => Float64Array): Model => {
    const { architecture, forward } = plantedModel({
      ...{ layers: 2, heads: 8, vocabulary },
      row: (_, layer, head, query) => row(layer * 8 + head, query + 1),
    });
    const planted: Pick<Model, "architecture" | "forward"> = {
      architecture,
      async forward(prompt, request) {
        const data = Float32Array.from(unitVectors(new Random(9), prompt.ids.length, width));
        return { ...(await forward(prompt, request)), residual: { data, dims: [3, prompt.ids.length, width] } };
      },
    };
    return planted as unknown as Model; // all of a model that this experiment asks for
  };
  const uniform = model((_, keys) => new Float64Array(keys).fill(1 / keys));
  /** Most of the weight on four keys, whatever the context. */
  const selective = model((head, keys) => {
    const random = new Random(head * 1000 + keys);
    const order = random.shuffle(Array.from({ length: keys }, (_, key) => key));
    const mass = keys > 4 ? 0.6 + 0.02 * random.next() : 0;
    const row = new Float64Array(keys).fill((1 - mass) / keys);
    for (const key of order.slice(0, 4)) row[key] += mass / 4;
    return row;
  });

  test("finds a selection that dilutes", async () => {
    const { claims, evidence: found } = await judgedOn(normalizationLimits, parameters, selective, {
      ...{ control: uniform, inputs },
    });
    for (const id of ["distance-grows-with-context", "distance-flattens", "selection-fades", "cold-is-sensitive"])
      expect(claims[id].outcome, id).toBe("replicated");
    for (const { selects } of found.trained) expect(selects).toBe(true);
  });

  test("finds nothing where all keys are alike", async () => {
    const { claims } = await judgedOn(normalizationLimits, parameters, uniform, { inputs });
    for (const id of ["selection-fades", "critical-number-is-small", "training-separates"])
      expect(claims[id].outcome, id).toBe("not replicated");
  });
});

test("a model's rows are measured in every context", async () => {
  const lengths = [16, 72];
  const parameters = { ...normalizationLimits.parameters, documents: 2, lengths, rows: 2, draws: 1, resamples: 20 };
  const run = await runSmall(normalizationLimits, parameters, { texts: texts(2, 200) });
  expectDeclaredRows(
    normalizationLimits,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  const one = run.tables.get("selection")?.filter(({ size, chosen }) => size === 1 && chosen === "largest weights");
  for (const { separable } of one ?? []) expect(separable).toBe(1);
  expect(run.tables.get("critical")).toHaveLength(3 * lengths.length);
});

test("contexts that leave nothing unselected are refused", async () => {
  const parameters = { ...normalizationLimits.parameters, rows: 2, lengths: [16, 40] };
  await expect(runSmall(normalizationLimits, parameters, { texts: texts(2, 200) })).rejects.toThrow("at least 66");
});
