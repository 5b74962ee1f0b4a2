/**
 * Every architecture on every device against Hugging Face transformers, and every statistic against float64.
 * The devices share this file, because the first session of a software GPU takes long to start.
 */
import { afterAll, describe, expect, test, vi } from "vitest";
import { UserError } from "../../engine/errors.js";
import type { Request } from "../../engine/forward.js";
import { Model } from "../../engine/model.js";
import { replay } from "../../engine/replay.js";
import { full } from "../full.js";
import { errors, everything, expected } from "./expected.js";
import { architectures, backend, devices, field, goldenCheckpoint, goldenReference, largestError } from "./golden.js";

/** A machine without a GPU runs WebGPU in software, where Chromium's driver for that is there. */
vi.stubEnv("OBSERVATORY_SWIFTSHADER", "1");
const missing = await backend("webgpu").then(
  () => undefined,
  (error: unknown) => {
    if (error instanceof UserError) return error.message;
    throw error;
  },
);
if (missing) console.warn(`webgpu is left out: ${missing}`);

/**
 * A software GPU compiles every new operation for seconds: there the everyday suite has one checkpoint with rotary
 * positions and one with biases of distance,
 */
const everyday = ["llama", "bloom"];
const inSoftware = (name: string) => full || everyday.includes(name);
const devicesOf = (name: string) => (!missing && inSoftware(name) ? [...devices, "webgpu"] : devices);
/** and in the full suite one for all statistics (test/kernels holds what our own kernels compute against float64). */
const hasAll = (name: string, device: string) => device !== "webgpu" || (full && name === "llama");

const requestOf = (name: string, device: string, ids: Int32Array): Request =>
  hasAll(name, device) ? everything(ids) : { attention: true, logits: "all" };

const limits = (device: string) =>
  device === "webgpu" ? { attention: 5e-4, logits: 5e-4 } : { attention: 5e-5, logits: 2e-4 };

const table: Record<string, Record<string, string>> = {};
const note = (name: string, device: string, ...largest: number[]) => {
  table[name] = { ...table[name], [device]: largest.map((error) => error.toExponential(1)).join(" ") };
};

afterAll(() => {
  console.info("Largest errors of attention and logits against transformers, and of statistics against float64:");
  console.table(table);
});

describe.each(architectures)("%s", (name) => {
  test("replayed in float64 equals transformers", async () => {
    const checkpoint = await goldenCheckpoint(name);
    const reference = await goldenReference(name);
    const ids = reference.sequences[0];
    const { attention, logits } = await replay(checkpoint, { ids });
    let largest = 0;
    for (const [layer, heads] of attention.entries()) {
      const full = heads.flatMap((rows) =>
        rows.flatMap((row) => [...row, ...new Array<number>(ids.length - row.length).fill(0)]),
      );
      largest = Math.max(largest, largestError(full, await reference.read(`attentions.${layer}`, 0)));
    }
    const flat = logits.flatMap((row) => [...row]);
    const inLogits = largestError(flat, await reference.read("logits", 0));
    note(name, "float64", largest, inLogits);
    expect(largest).toBeLessThan(5e-5);
    expect(inLogits).toBeLessThan(2e-4);
  });

  test.each(devicesOf(name))(
    "on %s equals transformers, and its statistics float64",
    async (device) => {
      const checkpoint = await goldenCheckpoint(name);
      const model = await Model.load(checkpoint, await backend(device));
      const reference = await goldenReference(name);
      const { layers } = model.architecture;
      const largest = { attention: 0, logits: 0, statistics: 0 };
      for (const [sequence, ids] of reference.sequences.entries()) {
        const request = requestOf(name, device, ids);
        const out = await model.forward({ ids }, request);
        const attention = field(out, "attention").data;
        const size = attention.length / layers;
        for (let layer = 0; layer < layers; layer++) {
          const theirs = await reference.read(`attentions.${layer}`, sequence);
          const ours = attention.subarray(layer * size, (layer + 1) * size);
          largest.attention = Math.max(largest.attention, largestError(ours, theirs));
        }
        const theirs = await reference.read("logits", sequence);
        largest.logits = Math.max(largest.logits, largestError(field(out, "logits").data, theirs));
        const numbers = expected(await replay(checkpoint, { ids }), { ids }, request);
        const { attention: _attention, logits: _logits, ...statistics } = errors(out, numbers);
        largest.statistics = Math.max(largest.statistics, ...Object.values(statistics));
      }
      await model.release();
      note(name, device, largest.attention, largest.logits, largest.statistics);
      expect(largest.attention).toBeLessThan(limits(device).attention);
      expect(largest.logits).toBeLessThan(limits(device).logits);
      expect(largest.statistics).toBeLessThan(1e-4);
    },
    400_000,
  );
});
