import { beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { UserError } from "../../../engine/errors.js";
import type { Prompt, Request, ResidualPatch, Selection } from "../../../engine/forward.js";
import { Model } from "../../../engine/model.js";
import { openBackend } from "../../../loaders/devices.js";
import { fileSource } from "../../../loaders/files.js";
import { goldenFolder } from "./memory-source.js";

let llama: Model;
let gpt2: Model;

beforeAll(async () => {
  const backend = await openBackend("cpu");
  llama = await Model.load(await openCheckpoint(fileSource(goldenFolder("llama"))), backend);
  gpt2 = await Model.load(await openCheckpoint(fileSource(goldenFolder("gpt2"))), backend);
});

const ids = Int32Array.of(5, 6, 7);
const float = (...values: number[]) => Float32Array.from(values);

const patch = (layer: number, token: number): ResidualPatch => ({
  layer,
  mode: "add",
  tokens: Int32Array.of(token),
  values: new Float32Array(32),
});

/** Three layers of two key–value heads of size 8. */
const selecting = (changed: Partial<Selection>): Prompt => ({
  ids,
  selection: { directions: new Float32Array(3 * 2 * 8 * 2), rank: 2, keep: 1, from: 2, keys: 2, ...changed },
});

describe("refused", () => {
  const prompts: [Prompt, string][] = [
    [{ ids: new Int32Array() }, "The prompt is empty"],
    [{ ids: Int32Array.of(1, 160) }, "Token 1 of the prompt has the id 160, but the model knows ids from 0 to 159."],
    [{ ids: Int32Array.of(-1) }, "Token 0 of the prompt has the id -1"],
    [{ ids, positions: Int32Array.of(0, 1) }, "positions holds 2 values for a prompt of 3 tokens."],
    [{ ids, positions: Int32Array.of(0, 1, -5) }, "A position is -5"],
    [{ ids, pieces: Int32Array.of(0) }, "pieces holds 1 values"],
    [{ ids, pieces: Int32Array.of(0, 1, -2) }, "A piece is -2"],
    [
      { ids, keyBias: { data: float(0, 0, 0), dims: [3] } },
      "keyBias has the dimensions [3], but they must be [3 or 1, 4 or 1, 3].",
    ],
    [{ ids, keyBias: { data: float(0, 0), dims: [1, 1, 2] } }, "keyBias has the dimensions [1,1,2]"],
    [{ ids, keyBias: { data: float(0, 0), dims: [1, 1, 3] } }, "keyBias holds 2 values for dimensions [1,1,3]."],
    [{ ids, keyBias: { data: float(0, Number.NaN, 0), dims: [1, 1, 3] } }, "keyBias holds the value NaN"],
    [
      { ids, keyBias: { data: float(0, Number.POSITIVE_INFINITY, 0), dims: [1, 1, 3] } },
      "keyBias holds the value Infinity",
    ],
    [
      { ids, headGate: { data: float(1, 1), dims: [2, 1] } },
      "headGate has the dimensions [2,1], but they must be [3 or 1, 4 or 1].",
    ],
    [{ ids, headGate: { data: float(Number.NaN), dims: [1, 1] } }, "headGate holds the value NaN"],
    [{ ids, temperature: { data: float(0), dims: [1, 1] } }, "temperature holds the value 0; each must be above 0."],
    [
      { ids, eviction: { data: Int32Array.of(1, 2), dims: [1, 1, 2] } },
      "eviction has the dimensions [1,1,2], but they must be [3 or 1, 4 or 1, 3].",
    ],
    [
      { ids, eviction: { data: Int32Array.of(1, 1, 3), dims: [1, 1, 3] } },
      "eviction hides key 1 from query 1 on, but at least its own query must see it: 2 or later.",
    ],
    [selecting({ rank: 9 }), "selection has rank = 9, but it must be a whole number from 1 to 8."],
    [selecting({ keys: 4, from: 4 }), "selection has keys = 4, but it must be a whole number from 1 to 3."],
    [selecting({ keep: 3 }), "selection has keep = 3, but it must be a whole number from 1 to 2."],
    [selecting({ keep: 0.5 }), "selection has keep = 0.5"],
    [selecting({ from: 1 }), "selection has from = 1, but it must be a whole number from 2 to 3."],
    [selecting({ directions: float(1) }), "selection holds 1 values in directions, but they must be 96: [3, 2, 8, 2]."],
    [
      selecting({ directions: new Float32Array(96).fill(Number.NaN) }),
      "selection holds a value in directions that is not a finite number.",
    ],
    [{ ids, residualPatches: [patch(4, 0)] }, "residualPatches[0] is for layer 4, but layers go from 0 to 3"],
    [{ ids, residualPatches: [patch(0, 3)] }, "residualPatches[0] is for token 3, but the prompt has tokens 0 to 2."],
    [
      { ids, residualPatches: [{ ...patch(0, 1), values: float(1) }] },
      "residualPatches[0] holds 1 values for 1 tokens of width 32.",
    ],
    [
      { ids, residualPatches: [{ ...patch(0, 1), values: new Float32Array(32).fill(Number.NaN) }] },
      "residualPatches[0] holds a value that is not a finite number.",
    ],
  ];
  test.each(prompts)("prompt %#", async (prompt, message) => {
    await expect(llama.forward(prompt)).rejects.toThrow(UserError);
    await expect(llama.forward(prompt)).rejects.toThrow(message);
  });

  const requests: [Request, string][] = [
    [{ keySegments: [float(1, 1)] }, "keySegments[0] holds 2 values for a prompt of 3 tokens."],
    [
      { queryGroups: [float(1, 1, 1), float(1, 1, Number.NaN)] },
      "queryGroups[1] holds a weight that is not a finite number.",
    ],
    [{ targets: [Int32Array.of(0, 0)] }, "targets[0] holds 2 values"],
    [{ topMass: [8, 0] }, "topMass asks for 0 keys; each must be a whole number of at least 1."],
    [
      { targets: [Int32Array.of(0, 2, 0)] },
      "targets[0] gives query 1 the key 2, but it sees keys 0 to 1 (or −1 for none).",
    ],
    [{ targets: [Int32Array.of(-2, 0, 0)] }, "targets[0] gives query 0 the key -2"],
  ];
  test.each(requests)("request %#", async (request, message) => {
    await expect(llama.forward({ ids }, request)).rejects.toThrow(UserError);
    await expect(llama.forward({ ids }, request)).rejects.toThrow(message);
  });

  test.each([0, -1, 1.5, Number.NaN])("chunk %d", async (chunk) => {
    await expect(llama.forward({ ids }, {}, { chunk })).rejects.toThrow("must be a whole number of at least 1");
  });

  test("learned positions beyond the table", async () => {
    const long = new Int32Array(129).fill(5);
    const message = "The prompt reaches position 128, but the model's table of learned positions ends at 127.";
    await expect(gpt2.forward({ ids: long })).rejects.toThrow(message);
    await expect(gpt2.forward({ ids, positions: Int32Array.of(0, 1, 128) })).rejects.toThrow(message);
    expect((await gpt2.forward({ ids: long.subarray(1) }, { rows: true })).beyondTrainedLength).toBe(false);
  });
});

test("rotary positions go on beyond the trained length, and the result says so", async () => {
  const long = Int32Array.from({ length: 129 }, (_, i) => 3 + (i % 100));
  const { beyondTrainedLength, entropy } = await llama.forward({ ids: long }, { rows: true });
  expect(beyondTrainedLength).toBe(true);
  expect(entropy?.data.every(Number.isFinite)).toBe(true);
  expect((await llama.forward({ ids: long.subarray(1) })).beyondTrainedLength).toBe(false);
});

test("one token is enough", async () => {
  const out = await llama.forward(
    { ids: Int32Array.of(9) },
    { rows: true, logits: "last", distances: true, attention: true },
  );
  expect(out.logProbability).toHaveLength(0);
  expect([...(out.attention?.data ?? [])]).toEqual(new Array(12).fill(1));
  expect([...(out.entropy?.data ?? [])]).toEqual(new Array(12).fill(expect.closeTo(0, 6)));
});

test("an aborted signal stops it between chunks", async () => {
  await expect(llama.forward({ ids }, { rows: true }, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
});

test("calls at the same time give what calls one after the other do", async () => {
  const prompts = Array.from({ length: 6 }, (_, i) =>
    Int32Array.from({ length: 20 + i }, (_, t) => (i * 31 + t * 7) % 160),
  );
  const requests: Request[] = [
    { rows: true },
    { logits: "loss" },
    { rows: true, norms: true },
    { distances: true },
    { rows: true },
    { scores: true },
  ];
  const together = await Promise.all(prompts.map((ids, i) => llama.forward({ ids }, requests[i], { chunk: 7 })));
  for (const [i, ids] of prompts.entries()) {
    expect(together[i]).toEqual(await llama.forward({ ids }, requests[i], { chunk: 7 }));
  }
});
