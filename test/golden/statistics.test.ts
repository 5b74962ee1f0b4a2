/** Every statistic on every device against float64 rows: plain, in chunks of any size, and under every intervention. */
import { afterAll, describe, expect, test } from "vitest";
import type { Architecture } from "../../engine/architecture.js";
import type { Broadcast, Prompt, ResidualPatch } from "../../engine/forward.js";
import { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { replay } from "../../engine/replay.js";
import { full } from "../full.js";
import { errors, everything, expected } from "./expected.js";
import { backend, devices, goldenCheckpoint, goldenReference, largestError, shown } from "./golden.js";

const table: Record<string, string>[] = [];

afterAll(() => {
  console.table(table);
});

const random = new Random(1);
const filled = (dims: readonly number[], value: () => number): Broadcast => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, value),
});
/** Each key is dropped some queries after its own, or never. */
const eviction = (layers: number, heads: number, tokens: number) => ({
  dims: [layers, heads, tokens],
  data: Int32Array.from(
    { length: layers * heads * tokens },
    (_, i) => (i % tokens) + 1 + random.int(random.next() < 0.5 ? 4 : tokens),
  ),
});

function interventions(
  ids: Int32Array,
  { layers, heads, keyValueHeads, headSize, width }: Architecture,
): Record<string, Prompt> {
  const tokens = ids.length;
  const patch = (layer: number, mode: "replace" | "add", ...at: number[]): ResidualPatch => ({
    layer,
    mode,
    tokens: Int32Array.from(at),
    values: filled([at.length, width], () => random.normal()).data,
  });
  const selection = (rank: number, keep: number, from: number, keys: number) => ({
    ...{ rank, keep, from, keys },
    directions: filled([layers, keyValueHeads, headSize, rank], () => random.normal()).data,
  });
  const bias = () => random.normal() * 2;
  const hidden = Float32Array.from({ length: tokens }, (_, key) => (key === 0 || key === 5 ? -1e9 : 0));
  return {
    none: { ids },
    "key bias, all alike": { ids, keyBias: filled([1, 1, tokens], bias) },
    "key bias per layer": { ids, keyBias: filled([layers, 1, tokens], bias) },
    "key bias per head": { ids, keyBias: filled([1, heads, tokens], bias) },
    "key bias per layer and head": { ids, keyBias: filled([layers, heads, tokens], bias) },
    "hidden keys": { ids, keyBias: { dims: [1, 1, tokens], data: hidden } },
    "keys hidden by −∞": {
      ids,
      keyBias: { dims: [1, 1, tokens], data: hidden.map((x) => (x ? Number.NEGATIVE_INFINITY : 0)) },
    },
    "head gate": { ids, headGate: filled([layers, heads], () => (random.next() < 0.3 ? 0 : random.normal())) },
    "head gate per layer": { ids, headGate: filled([layers, 1], () => random.normal()) },
    temperature: { ids, temperature: filled([layers, heads], () => 0.3 + 2 * random.next()) },
    "temperature per head": { ids, temperature: filled([1, heads], () => 0.3 + 2 * random.next()) },
    eviction: { ids, eviction: eviction(1, 1, tokens) },
    "eviction per layer": { ids, eviction: eviction(layers, 1, tokens) },
    "eviction per layer and head": { ids, eviction: eviction(layers, heads, tokens) },
    selection: { ids, selection: selection(2, 3, 14, 14) },
    "selection in one direction, by the last queries": { ids, selection: selection(1, 1, 17, 12) },
    "selection of keys that are seen": {
      ids,
      selection: selection(headSize, 2, 12, 12),
      keyBias: { dims: [1, 1, tokens], data: hidden },
      eviction: eviction(layers, heads, tokens),
      pieces: Int32Array.from(ids, (_, t) => (t < 12 ? 0 : t < 17 ? 1 : 2)),
    },
    "residual replaced": { ids, residualPatches: [patch(1, "replace", 3, 11)] },
    "residual added to": {
      ids,
      residualPatches: [patch(0, "add", 0, 12), patch(1, "add", 12), patch(1, "add", 12, 13)],
    },
    "residual after the last block": { ids, residualPatches: [patch(layers, "replace", tokens - 1)] },
    positions: { ids, positions: Int32Array.from(ids, () => random.int(100)) },
    pieces: { ids, pieces: Int32Array.from(ids, (_, t) => (t < 3 ? 0 : t < 10 ? 1 : t < 18 ? 2 : -1)) },
    "scattered pieces": { ids, pieces: Int32Array.from(ids, () => random.int(5) - 1) },
    "all together": {
      ids,
      positions: Int32Array.from(ids, () => random.int(100)),
      pieces: Int32Array.from(ids, (_, t) => (t < 3 ? 0 : t < 10 ? 1 : t < 18 ? 2 : -1)),
      keyBias: filled([layers, heads, tokens], bias),
      headGate: filled([layers, heads], () => random.normal()),
      temperature: filled([layers, heads], () => 0.3 + 2 * random.next()),
      eviction: eviction(layers, heads, tokens),
      selection: selection(2, 4, 11, 9),
      residualPatches: [patch(1, "replace", 5), patch(1, "add", 5, 6)],
    },
  };
}

const tolerance = 1e-4;
/** One for each kind of score: plain, rotary, biased by distance, soft-capped in windows, with sinks. */
const architectures = ["gpt2", "llama3_rope", "bloom", "gemma2", "gpt_oss"];

describe.each(architectures)("%s", (name) => {
  describe.each(devices)("on %s", (device) => {
    test("statistics equal the float64 reference, in chunks of any size", async () => {
      const checkpoint = await goldenCheckpoint(name);
      const model = await Model.load(checkpoint, await backend(device));
      const ids = (await goldenReference(name)).sequences[0];
      const request = everything(ids);
      const reference = expected(await replay(checkpoint, { ids }), { ids }, request);
      const largest: Record<string, number> = {};
      for (const chunk of [256, 24, 23, 12, 7, 1]) {
        for (const [field, error] of Object.entries(
          errors(await model.forward({ ids }, request, { chunk }), reference),
        )) {
          largest[field] = Math.max(largest[field] ?? 0, error);
        }
      }
      table.push({ architecture: name, device, ...shown(largest) });
      for (const [field, error] of Object.entries(largest)) expect(error, field).toBeLessThan(tolerance);
      await model.release();
    });

    /** The devices run the same graph. */
    test.runIf(full || device === "cpu" || name === "gpt_oss")(
      "interventions do what they are defined to do",
      async () => {
        const checkpoint = await goldenCheckpoint(name);
        const model = await Model.load(checkpoint, await backend(device));
        const ids = (await goldenReference(name)).sequences[0];
        const request = everything(ids);
        const plain = expected(await replay(checkpoint, { ids }), { ids }, request);
        for (const [what, prompt] of Object.entries(interventions(ids, model.architecture))) {
          const reference = expected(await replay(checkpoint, prompt), prompt, request);
          const effect = largestError(plain.logits ?? [], reference.logits ?? []);
          if (what !== "none") expect(effect, `${what} changes the logits`).toBeGreaterThan(0.1);
          for (const [field, error] of Object.entries(
            errors(await model.forward(prompt, request, { chunk: 10 }), reference),
          )) {
            expect(error, `${what}: ${field}`).toBeLessThan(tolerance);
          }
        }
        await model.release();
      },
    );
  });

  test.each(devices)("a selection of all keys changes nothing on %s, in chunks of any size", async (device) => {
    const model = await Model.load(await goldenCheckpoint(name), await backend(device));
    const { layers, keyValueHeads, headSize } = model.architecture;
    const ids = (await goldenReference(name)).sequences[0];
    const directions = filled([layers, keyValueHeads, headSize, 2], () => random.normal()).data;
    const logits = async (chunk: number, keep?: number) => {
      const selection = keep ? { directions, rank: 2, keep, from: 12, keys: 12 } : undefined;
      return (await model.forward({ ids, selection }, { logits: "all" }, { chunk })).logits?.data ?? [];
    };
    for (const chunk of [256, 7]) {
      const plain = await logits(chunk);
      expect(await logits(chunk, 12)).toEqual(plain);
      expect(largestError(await logits(chunk, 4), plain)).toBeGreaterThan(0.1);
    }
    await model.release();
  });

  test("a mixture of heads is the weighted sum of their matrices, in chunks of any size", async () => {
    const model = await Model.load(await goldenCheckpoint(name), await backend("cpu"));
    const { layers, heads } = model.architecture;
    const ids = (await goldenReference(name)).sequences[0];
    const headWeights = Float32Array.from({ length: layers * heads }, () => random.normal());
    const { attention } = await model.forward({ ids }, { attention: true });
    const size = ids.length ** 2;
    const sums = Float64Array.from({ length: size }, (_, cell) =>
      headWeights.reduce((sum, weight, head) => sum + weight * (attention?.data[head * size + cell] ?? 0), 0),
    );
    for (const chunk of [256, 7]) {
      const { mixture } = await model.forward({ ids }, { headWeights }, { chunk });
      expect(mixture?.dims).toEqual([ids.length, ids.length]);
      expect(largestError(mixture?.data ?? [], sums)).toBeLessThan(1e-5);
    }
    await expect(model.forward({ ids }, { headWeights: headWeights.subarray(1) })).rejects.toThrow(/one for each head/);
    await model.release();
  });

  test("what is not asked for is not reported", async () => {
    const model = await Model.load(await goldenCheckpoint(name), await backend("cpu"));
    const ids = (await goldenReference(name)).sequences[0];
    expect(Object.keys(await model.forward({ ids })).sort()).toEqual(["beyondTrainedLength", "tokens"]);
    expect(Object.keys(await model.forward({ ids }, { logits: "loss" })).sort()).toEqual([
      "beyondTrainedLength",
      "correct",
      "logProbability",
      "tokens",
    ]);
    const { logits } = await model.forward({ ids }, { logits: "last" }, { chunk: 5 });
    const all = await model.forward({ ids }, { logits: "all" });
    expect(logits?.dims).toEqual([1, model.architecture.vocabulary]);
    expect(
      largestError(logits?.data ?? [], all.logits?.data.subarray(-model.architecture.vocabulary) ?? []),
    ).toBeLessThan(2e-4);
    await model.release();
  });
});
