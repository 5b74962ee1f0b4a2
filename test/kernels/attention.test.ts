/** Every statistic of the GPU kernels, under everything that changes scores, against float64. */
import { describe, expect, test } from "vitest";
import { kernelCases, kernelErrors, toleranceOf } from "../../loaders/gpu/kernel-check.js";
import { full } from "../full.js";
import { testGpu } from "./device.js";

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
];
const cases = kernelCases.filter(({ all, name }) => full || all || offered.includes(name));

describe.each(cases)("$name", (one) => {
  test("equals float64", async () => {
    for (const [what, error] of Object.entries(await kernelErrors(await testGpu(), one))) {
      expect(error, what).toBeLessThan(toleranceOf(one));
    }
  });
});
