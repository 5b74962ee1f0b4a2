import { expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { UserError } from "../../../engine/errors.js";
import { inHalfPrecision } from "../../../engine/half-precision.js";
import { randomCheckpoint } from "../../../engine/random-weights.js";
import { goldenFiles, memorySource } from "./memory-source.js";

const checkpoint = await openCheckpoint(memorySource(await goldenFiles("llama")));
const holding = (values: readonly number[]) =>
  inHalfPrecision({ ...checkpoint, tensor: async () => Float32Array.from(values), place: undefined }).tensor("weight");

/** Pairs of a number and what torch's `.half().float()` makes of it: rounding, ties to even, subnormal numbers. */
const rounded = [
  [0.1, 0.0999755859375],
  [1 / 3, 0.333251953125],
  [-2 / 3, -0.66650390625],
  [1e-5, 1.0013580322265625e-5],
  [3e-8, 2 ** -24],
  [2.9e-8, 0],
  [2 ** -14, 2 ** -14],
  [2 ** -14 - 2 ** -26, 2 ** -14],
  [6.1e-5, 6.097555160522461e-5],
  [65504, 65504],
  [65519, 65504],
  [-65519.99, -65504],
  [2049, 2048],
  [2051, 2052],
  [1 + 2 ** -11, 1],
  [1 + 3 * 2 ** -11, 1.001953125],
  [0, 0],
] as const;

test("weights are rounded as torch rounds them", async () => {
  expect([...(await holding(rounded.map(([value]) => value)))]).toEqual(rounded.map(([, half]) => half));
});

test("what float16 cannot hold is refused", async () => {
  await expect(holding([1, 65520])).rejects.toThrow(UserError);
  await expect(holding([-1e6])).rejects.toThrow(/weight holds the value -1000000, but float16 ends at ±65504/);
});

test("the checkpoint itself stays as it is", async () => {
  const control = randomCheckpoint(checkpoint, 0);
  const name = "model.norm.weight";
  const before = Float32Array.from(await control.tensor("model.embed_tokens.weight"));
  await inHalfPrecision(control).tensor("model.embed_tokens.weight");
  expect(await control.tensor("model.embed_tokens.weight")).toEqual(before);
  expect([...(await inHalfPrecision(control).tensor(name))]).toEqual([...(await control.tensor(name))]);
});
