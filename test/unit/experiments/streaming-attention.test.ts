import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import {
  exactAttention,
  largestError,
  scratchWords,
  tiledAttention,
  wholeAttention,
} from "../../../engine/theory/streaming.js";
import { type Evidence, streamingAttention } from "../../../loaders/experiments/streaming-attention.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const lengths = [64, 256, 1024];

const evidence = (tiles: (length: number) => number, error: number, overflow: number, factor: number): Evidence => ({
  seed: 1,
  resamples: 200,
  lengths,
  words: { whole: lengths.map((length) => length ** 2), tiles: lengths.map(tiles) },
  factor,
  errors: {
    whole: [
      [1e-7, 1.1e-7],
      [1e-7, 1e-7],
    ],
    tiles: [
      [error, error],
      [error, error],
    ],
    "tiles without maximum": [
      [1e-7, 1e-7],
      [overflow, overflow],
    ],
  },
});

describe("claims on streaming attention", () => {
  test("find little memory, no error and a maximum that is needed", () => {
    const found = judged(
      streamingAttention,
      evidence((length) => length, 1e-7, Number.NaN, 60),
    );
    for (const { id } of streamingAttention.claims) expect(found[id].outcome, id).toBe("replicated");
  });

  test("find nothing where tiles cost as much, err more and never overflow", () => {
    const found = judged(
      streamingAttention,
      evidence((length) => length ** 2, 1e-5, 1e-7, 1),
    );
    for (const { id } of streamingAttention.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

function inputs(length: number, size: number, scale: number) {
  const random = new Random(5);
  const normals = (deviation: number) =>
    Float32Array.from({ length: length * size }, () => deviation * random.normal());
  return { queries: normals(scale), keys: normals(1), values: normals(1), size };
}

test("tiles of any size give what the whole matrix gives", () => {
  const given = inputs(45, 8, 2);
  const allocate = (words: number) => new Float32Array(words);
  const reference = exactAttention(given);
  expect(largestError(wholeAttention(given, allocate), reference)).toBeLessThan(2e-6);
  for (const tiles of [
    { queries: 1, keys: 1 },
    { queries: 7, keys: 13 },
    { queries: 64, keys: 64 },
  ]) {
    expect(largestError(tiledAttention(given, tiles, allocate), reference)).toBeLessThan(2e-6);
  }
});

test("without the maximum large scores overflow", () => {
  const given = inputs(32, 8, 100);
  const allocate = (words: number) => new Float32Array(words);
  const tiles = { queries: 8, keys: 8 };
  expect(largestError(tiledAttention(given, tiles, allocate, false), exactAttention(given))).toBeNaN();
  expect(largestError(tiledAttention(given, tiles, allocate), exactAttention(given))).toBeLessThan(1e-4);
});

test("the words that are counted are those that the programs allocate", () => {
  const given = inputs(36, 8, 1);
  let words = 0;
  const count = (size: number) => {
    words += size;
    return new Float32Array(size);
  };
  wholeAttention(given, count);
  expect(words).toBe(scratchWords(36, 8));
  words = 0;
  tiledAttention(given, { queries: 6, keys: 6 }, count);
  expect(words).toBe(scratchWords(36, 8, { queries: 6, keys: 6 }));
});

test("every declared table gets its rows", async () => {
  const { batches } = await runPure(streamingAttention, { errorLength: 16, errorSize: 4, inputs: 2, resamples: 50 });
  expectDeclaredRows(streamingAttention, batches);
});
