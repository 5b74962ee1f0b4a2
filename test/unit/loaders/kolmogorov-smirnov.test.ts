import { expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { largestGap, toldApart } from "../../../loaders/analysis/kolmogorov-smirnov.js";

test("the gap is the largest difference of the distribution functions", () => {
  expect(largestGap([1, 2, 3, 4], [3, 4, 5, 6])).toBe(0.5);
  expect(largestGap([1, 1, 2], [2, 1, 1])).toBe(0);
  expect(largestGap([1, 2], [3, 4])).toBe(1);
});

test("samples of one distribution are told apart about as seldom as the level says", () => {
  const random = new Random(1);
  const sample = (shift = 0) => Array.from({ length: 64 }, () => random.normal() + shift);
  const apart = Array.from({ length: 400 }, () => toldApart(sample(), sample(), 0.05)).filter(Boolean).length;
  expect(apart / 400).toBeLessThan(0.09);
  expect(toldApart(sample(), sample(2), 0.01)).toBe(true);
});
