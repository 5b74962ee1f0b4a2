/**
 * Large models: how their weights reach a session, and that they are the same whichever way.
 * @module-tag wide
 */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tensorsOf } from "../../../engine/architecture.js";
import { type Checkpoint, openCheckpoint, readConfig } from "../../../engine/checkpoint.js";
import { weightSizes } from "../../../engine/memory.js";
import { Model } from "../../../engine/model.js";
import { encodeSafetensors } from "../../../engine/safetensors.js";
import { weightBytes } from "../../../engine/weights.js";
import { openBackend } from "../../../loaders/devices.js";
import { fileSource } from "../../../loaders/files.js";
import { memorySource } from "../engine/memory-source.js";

/** Few values to compute with, many to hold: 140 MB as float32. */
const wide = {
  model_type: "llama",
  vocab_size: 32,
  hidden_size: 8,
  intermediate_size: 1_450_000,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 64,
  initializer_range: 0.02,
};

const config = new TextEncoder().encode(JSON.stringify(wide));
const ids = Int32Array.from({ length: 12 }, (_, i) => (i * 5) % 32);

let folder: string;
let checkpoint: Checkpoint;
let expected: Float32Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "observatory-test-"));
  await writeFile(join(folder, "config.json"), config);
  const { architecture } = await readConfig(memorySource({ "config.json": config }));
  const tensors = [...tensorsOf(architecture)].map(([name, { shape }]) => ({ name, shape, data: values(shape) }));
  await writeFile(join(folder, "blob"), encodeSafetensors(tensors, { format: "pt" }));
  await symlink("blob", join(folder, "model.safetensors")); // as in the cache of the hub's libraries
  checkpoint = await openCheckpoint(fileSource(folder));
  expected = await logits(checkpoint, "wasm");
}, 120_000);

afterAll(() => rm(folder, { recursive: true }));

/** Numbers between −0.1 and 0.1 that repeat no earlier than after 1009. */
const values = (shape: readonly number[]): Float32Array =>
  new Float32Array(shape.reduce((a, b) => a * b)).map((_, i) => ((i * 377) % 1009) / 5045 - 0.1);

async function logits(of: Checkpoint, device: string): Promise<Float32Array> {
  const model = await Model.load(of, await openBackend(device));
  const { logits: last, entropy } = await model.forward({ ids }, { logits: "last", rows: true });
  const { logits: again } = await model.forward({ ids }, { logits: "last" }); // another plan, so another session
  await model.release();
  if (!last || !again || !entropy) throw new Error("no logits");
  expect(again.data).toEqual(last.data);
  return last.data;
}

const converted = () =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`attention-observatory-${process.pid}-`));

function expectSame(actual: Float32Array): void {
  expect(actual.length).toBe(32);
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 4);
  });
}

describe("a model of 140 MB", () => {
  test("is mapped from its own file", async () => {
    const name = "model.layers.0.mlp.up_proj.weight";
    const place = await checkpoint.place?.(name);
    expect(place?.path).toBe(join(folder, "blob")); // sessions refuse links that lead out of a folder
    expectSame(await logits(checkpoint, "cpu"));
  });

  test("that is not float32 is mapped from a temporary file, which goes with the model", async () => {
    const cpu = await openBackend("cpu");
    const model = await Model.load({ ...checkpoint, place: undefined }, cpu);
    const [name] = converted();
    expect(existsSync(join(tmpdir(), name, "weights"))).toBe(true);
    await model.release();
    expect(converted()).toEqual([]);
    expectSame(await logits({ ...checkpoint, place: undefined }, "cpu"));
  });

  test("with a value that is not finite is refused before anything runs", async () => {
    const spoilt = async () => Promise.reject(new Error("holds a value that is not a finite number"));
    await expect(Model.load({ ...checkpoint, check: spoilt }, await openBackend("cpu"))).rejects.toThrow(
      "not a finite",
    );
    const unmapped = { ...checkpoint, tensor: spoilt, place: undefined };
    await expect(Model.load(unmapped, await openBackend("cpu"))).rejects.toThrow("not a finite");
    expect(converted()).toEqual([]);
  });

  test("cleans up after a process that was killed", async () => {
    const abandoned = join(tmpdir(), "attention-observatory-4194305-x"); // beyond the largest process id of Linux
    mkdirSync(abandoned, { recursive: true });
    const model = await Model.load({ ...checkpoint, place: undefined }, await openBackend("cpu"));
    expect(existsSync(abandoned)).toBe(false);
    await model.release();
  });
});

test("a small model is read, so that its file may change while it runs", async () => {
  const cpu = await openBackend("cpu");
  const sizes = new Map([["w", 1000]]);
  const tensor = async () => new Float32Array(1000);
  expect(
    await cpu.keepWeights?.({ tensor, place: async () => ({ path: "/x", start: 0, end: 4000 }) }, sizes),
  ).toBeUndefined();
});

test("wasm refuses what its memory cannot hold, before it is read", async () => {
  const large = { ...wide, num_hidden_layers: 30 };
  const bytes = new TextEncoder().encode(JSON.stringify(large));
  const { architecture } = await readConfig(memorySource({ "config.json": bytes }));
  expect(weightBytes(weightSizes(architecture))).toBeGreaterThan(4e9);
  const unread = { ...checkpoint, architecture, tensor: () => Promise.reject(new Error("was read")) };
  await expect(Model.load(unread, await openBackend("wasm"))).rejects.toThrow(
    "The weights take 3.9 GiB as float32, but wasm can hold 3.5 GiB: use another device.",
  );
});

test("a file is hashed again only after it changed", async () => {
  const source = fileSource(folder);
  const hash = await source.sha256?.("config.json");
  expect(hash).toBe(checkpoint.hashes.config);
  expect(await source.sha256?.("config.json")).toBe(hash);
  await writeFile(join(folder, "config.json"), `${JSON.stringify(wide)}\n`);
  expect(await source.sha256?.("config.json")).not.toBe(hash);
  expect(dirname((await source.path?.("model.safetensors")) ?? "")).toBe(folder);
});
