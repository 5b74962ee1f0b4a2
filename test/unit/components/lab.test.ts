/** What the lab derives from a forward pass, against the definitions of the metrics and of the interventions. */
import { expect, test } from "vitest";
import { headValues, statisticsRequest } from "../../../components/lab/head-metrics.js";
import { Latest } from "../../../components/lab/latest.js";
import { isPlain, plain, promptOf } from "../../../components/lab/settings.js";
import { shadedRow } from "../../../components/lab/shading.js";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { keyNorm } from "../../../engine/metrics/norms.js";
import { duplicateToken, induction, meanDefined } from "../../../engine/metrics/patterns.js";
import { entropy, normalisedEntropy } from "../../../engine/metrics/rows.js";
import { laterSinks, received } from "../../../engine/metrics/sinks.js";
import { Model } from "../../../engine/model.js";
import { replay } from "../../../engine/replay.js";
import { openBackend } from "../../../loaders/devices.js";
import { fileSource } from "../../../loaders/files.js";

const checkpoint = await openCheckpoint(fileSource("test/golden/checkpoints/llama"));
const { architecture } = checkpoint;
const { layers, heads } = architecture;
const ids = Int32Array.of(3, 9, 4, 9, 4, 7, 3, 9, 4, 11, 5, 5, 3, 9);

test("values of heads are those of the metrics' references", async () => {
  const model = await Model.load(checkpoint, await openBackend("cpu"));
  const values = headValues(await model.forward({ ids }, statisticsRequest(ids)), { ids }, architecture);
  const { attention } = await replay(checkpoint, { ids }); // layers × heads × queries × [visible keys]
  await model.release();
  const of = (id: string) => values.find(({ metric }) => metric.id === id)?.values ?? new Float32Array();
  const expected: Record<string, (head: (typeof attention)[number][number]) => number> = {
    entropy: (head) => meanDefined(head.map((row) => entropy.reference(row))),
    "normalised-entropy": (head) => meanDefined(head.map((row, q) => normalisedEntropy.reference(row, q + 1))),
    received: (head) => received.reference(head)[0],
    "later-sinks": (head) => laterSinks.reference(head, 8).length,
    "duplicate-token": (head) => duplicateToken.reference(head, ids),
    induction: (head) => induction.reference(head, ids),
  };
  for (const [id, reference] of Object.entries(expected)) {
    attention.flat().forEach((head, i) => {
      expect(Math.abs(of(id)[i] - reference(head)), `${id} of head ${i}`).toBeLessThan(1e-4);
    });
  }
  expect(of(keyNorm.id)).toHaveLength(layers * heads);
  expect(values.every(({ values: it }) => it.every(Number.isFinite))).toBe(true);
});

test("settings become the prompt that they say, and nothing where nothing is set", () => {
  expect(isPlain(plain)).toBe(true);
  expect(Object.values(promptOf(ids, plain, architecture)).filter((value) => value !== undefined)).toEqual([ids]);
  const place = { layer: 1, head: 2 };
  const prompt = promptOf(
    ids,
    { silenced: [3], temperature: 2, withoutFirst: true, scope: "this head", place, keep: 4, keepFirst: true },
    architecture,
  );
  const all = Array.from({ length: layers * heads }, () => 1);
  expect([...(prompt.headGate?.data ?? [])]).toEqual(all.with(3, 0));
  expect([...(prompt.temperature?.data ?? [])]).toEqual(all.with(heads + 2, 2));
  expect(prompt.keyBias?.dims).toEqual([layers, heads, ids.length]);
  const hidden = [...(prompt.keyBias?.data.entries() ?? [])].filter(([, bias]) => bias === Number.NEGATIVE_INFINITY);
  expect(hidden.map(([at]) => at)).toEqual([(heads + 2) * ids.length]);
  expect([...(prompt.eviction?.data ?? [])]).toEqual([
    ids.length,
    ...Array.from(ids.keys())
      .slice(1)
      .map((key) => key + 4),
  ]);
});

test("shades: the largest is full, the first token can be left out, hidden keys have none", () => {
  const row = Float32Array.of(0.75, 0.05, 0.2, 0);
  const shades = (scale: "linear" | "log", first: "shown" | "hidden" | "renormalised") =>
    [...shadedRow(row, 2, { scale, first })].map((shade) => Math.round(shade * 1000) / 1000);
  expect(shades("linear", "shown")).toEqual([1, 0.067, 0.267, 0]);
  expect(shades("linear", "hidden")).toEqual([0, 0.25, 1, 0]);
  expect(shades("log", "shown")).toEqual([0.969, 0.675, 0.825, 0]);
  expect(shades("log", "renormalised")).toEqual([0, 0.825, 0.976, 0]);
});

test("of work that is asked for meanwhile, only the newest is done", async () => {
  const latest = new Latest();
  const done: number[] = [];
  const work = (n: number) => latest.do(async () => void done.push(n));
  await Promise.all([work(1), work(2), work(3)]);
  await work(4);
  expect(done).toEqual([1, 3, 4]);
});
