/**
 * Every statistic of the GPU kernels, under everything that changes scores, against float64.
 * @module-tag wide
 */
import { describe, expect, test } from "vitest";
import type { Gpu } from "../../engine/kernels/gpu.js";
import { traitsOf } from "../../engine/kernels/scoring.js";
import { tilesFor } from "../../engine/kernels/tiles.js";
import { kernelCases, kernelErrors, toleranceOf } from "../../loaders/gpu/kernel-check.js";
import { full } from "../full.js";
import { plainGpu, testGpu } from "./device.js";

/** One for each thing that the kernels offer, besides those that compute everything; the rest vary them. */
const offered = [
  "window",
  "soft cap",
  "ALiBi",
  "learned sinks",
  "temperature and soft cap",
  "keys hidden by −∞",
  "grouped queries",
  "a batch of two",
  "head size 20",
  "head size 128",
  "head size 256",
  "three tokens",
  "64 key segments",
];
const cases = kernelCases.filter(({ all, name }) => full || all || offered.includes(name));

describe.each(cases)("$name", (one) => {
  test("equals float64", async () => {
    for (const [what, error] of Object.entries(await kernelErrors(await testGpu(), one))) {
      expect(error, what).toBeLessThan(toleranceOf(one));
    }
  });
});

/** Bytes of workgroup memory: what every device has, and what many have. SwiftShader has no more to test with. */
const rooms = [16_384, 32_768];

/** What a GPU of that much memory takes; software by itself takes smaller ones. */
function tilesOf(room: number) {
  const limits = { maxComputeWorkgroupStorageSize: room };
  const gpu = { device: { adapterInfo: { isFallbackAdapter: false }, limits }, hasTensorCores: false };
  const shape = { heads: 2, keyValueHeads: 2, headSize: 32, queries: 150, keys: 150 };
  return tilesFor(gpu as unknown as Gpu, traitsOf(shape, { scale: 1, causal: true }, "f32"));
}

test.runIf(full).each(rooms)("tiles of a GPU with %i bytes of workgroup memory", async (room) => {
  const one = { name: "all passes", all: true, segments: 40, tiles: tilesOf(room) };
  const gpu = room === rooms[0] ? await plainGpu() : await testGpu();
  for (const [what, error] of Object.entries(await kernelErrors(gpu, one))) {
    expect(error, what).toBeLessThan(toleranceOf(one));
  }
});
