/** Every statistic of the GPU kernels, under everything that changes scores, against float64. */
import { describe, expect, test } from "vitest";
import { kernelCases, kernelErrors, toleranceOf } from "../../loaders/gpu/kernel-check.js";
import { full } from "../full.js";
import { testGpu } from "./device.js";

/** Those that compute everything, and of the others, which each change one thing, some. */
const cases = kernelCases.filter(({ all }, i) => full || all || i % 3 === 2);

describe.each(cases)("$name", (one) => {
  test("equals float64", async () => {
    for (const [what, error] of Object.entries(await kernelErrors(await testGpu(), one))) {
      expect(error, what).toBeLessThan(toleranceOf(one));
    }
  });
});
