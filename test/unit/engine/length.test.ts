/** Long prompts: memory in proportion to their length, and the same numbers as in short ones. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readConfig } from "../../../engine/checkpoint.js";
import { chunkFor, memoryNeeded } from "../../../engine/memory.js";
import { Model } from "../../../engine/model.js";
import { randomCheckpoint } from "../../../engine/random-weights.js";
import { openBackend } from "../../../loaders/devices.js";
import { fileSource } from "../../../loaders/files.js";
import { full } from "../../full.js";
import { bundledFolder, json, memorySource } from "./memory-source.js";

const oneHead = {
  model_type: "llama",
  vocab_size: 64,
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 1,
  num_key_value_heads: 1,
  max_position_embeddings: 2048,
  initializer_range: 0.5,
};

const megabytes = (field: string) =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;

/** With an attention matrix of 1,024 or 4,096 MB. */
const tokens = full ? 32_768 : 16_384;

test.runIf(process.platform === "linux")(
  `${tokens} tokens go through in little memory`,
  { timeout: 300_000 },
  async () => {
    const described = await readConfig(memorySource({ "config.json": json(oneHead) }));
    const tensor = () => Promise.reject(new Error("It has no weights but random ones."));
    const hashes = { config: "", weights: "" };
    const checkpoint = randomCheckpoint({ ...described, name: "one head", hashes, metadata: {}, tensor }, 3);
    const model = await Model.load(checkpoint, await openBackend("cpu"));
    const ids = Int32Array.from({ length: tokens }, (_, i) => (i * i + 3 * i) % 64);
    const short = await model.forward({ ids: ids.subarray(0, 300) }, { rows: true, distances: true });
    writeFileSync("/proc/self/clear_refs", "5"); // forgets the peak of what ran before
    const before = megabytes("VmHWM");
    const long = await model.forward({ ids }, { rows: true, distances: true });
    expect(megabytes("VmHWM") - before).toBeLessThan(tokens / 33);
    expect(long.beyondTrainedLength).toBe(true);
    short.entropy?.data.forEach((nats, query) => {
      expect(long.entropy?.data[query]).toBeCloseTo(nats, 4);
    });
    const mass = long.distances?.data.reduce((sum, value) => sum + value, 0);
    expect(mass).toBeCloseTo(ids.length, -1); // each row sums to 1, added up in float32
    expect(long.entropy?.data.every((nats) => nats >= -1e-5 && nats < Math.log(ids.length))).toBe(true);
  },
);

test("the chunk shrinks and the memory grows in proportion to the length", async () => {
  const { architecture } = await readConfig(fileSource(bundledFolder));
  expect([1, 4096, 8192].map((tokens) => chunkFor(architecture, tokens))).toEqual([128, 128, 128]);
  expect([16_384, 32_768, 1e6].map((tokens) => chunkFor(architecture, tokens))).toEqual([64, 32, 16]);
  const [short, long, longest] = [16_384, 32_768, 65_536].map((tokens) => memoryNeeded(architecture, tokens));
  expect(longest - long).toBeCloseTo(2 * (long - short), -7);
  expect(memoryNeeded(architecture, 8192)).toBeLessThan(1.5e9);
});
