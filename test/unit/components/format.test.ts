import { expect, test } from "vitest";
import { cell, count, interval, number, percent, probability } from "../../../components/format.js";

test.each([
  [0.012345, "0.0123"],
  [4.5678, "4.57"],
  [1234.5, "1,235"],
  [-0.5, "−0.5"],
  [0, "0"],
  [0.00001234, "1.23\u00a0×\u00a010⁻⁵"],
  [2e-10, "2\u00a0×\u00a010⁻¹⁰"],
  [Number.NaN, "–"],
  [null, "–"],
  [Number.POSITIVE_INFINITY, "∞"],
])("number(%s) is %s", (value, text) => expect(number(value)).toBe(text));

test.each([
  [0.3449, "34 %"],
  [0.0041, "0.4 %"],
  [-0.021, "−2.1 %"],
  [1, "100 %"],
])("percent(%s) is %s", (value, text) => expect(percent(value)).toBe(text.replace(" ", "\u00a0")));

test.each([
  [0, "0 %"],
  [2e-9, "< 0.1 %"],
  [0.00049, "< 0.1 %"],
  [0.0005, "0.1 %"],
  [0.25, "25 %"],
])("probability(%s) is %s", (value, text) => expect(probability(value)).toBe(text.replaceAll(" ", "\u00a0")));

test("an interval without ends is its estimate alone", () => {
  expect(interval(1.234, 1.1, 1.35)).toBe("1.23 [1.1, 1.35]");
  expect(interval(1.234, null, null)).toBe("1.23");
});

test("nouns follow their number", () => {
  expect([count(1, "head"), count(14, "head"), count(2, "entropy", "entropies")]).toEqual([
    "1 head",
    "14 heads",
    "2 entropies",
  ]);
});

test("cells show any value", () => {
  expect([cell(null), cell(0.123456), cell("a"), cell([1, 2]), cell(true)]).toEqual([
    "–",
    "0.1235",
    "a",
    "[1,2]",
    "true",
  ]);
});
