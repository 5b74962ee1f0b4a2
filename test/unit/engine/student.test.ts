import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { studentDifference, studentMean, twoSided95 } from "../../../engine/student.js";

test.each([
  [1, 12.7062],
  [2, 4.30265],
  [3, 3.18245],
  [4, 2.77645],
  [10, 2.22814],
  [30, 2.04227],
])("t of %i degrees of freedom is that of the tables", (freedom, t) => {
  expect(twoSided95(freedom)).toBeCloseTo(t, 3);
});

test("between whole degrees of freedom it lies between theirs", () => {
  expect(twoSided95(2.5)).toBeLessThan(twoSided95(2));
  expect(twoSided95(2.5)).toBeGreaterThan(twoSided95(3));
});

test("a mean has the interval that R's t.test gives", () => {
  const { estimate, low, high, n } = studentMean([1, 2, 4]);
  expect([estimate, n]).toEqual([7 / 3, 3]);
  expect(high - estimate).toBeCloseTo(4.302653 * Math.sqrt(7 / 3 / 3), 4); // variance 7/3
  expect(estimate - low).toBeCloseTo(high - estimate);
});

test("a difference of groups of one spread has their pooled degrees of freedom", () => {
  const { estimate, high, n } = studentDifference([2, 3, 4], [5, 6, 7]);
  expect([estimate, n]).toEqual([-3, 3]);
  expect(high - estimate).toBeCloseTo(2.776445 * Math.sqrt(2 / 3), 4);
});

test("units that are all alike leave no room", () => {
  expect(studentMean([0.5, 0.5, 0.5])).toEqual({ estimate: 0.5, low: 0.5, high: 0.5, n: 3 });
  expect(studentDifference([1, 1], [0, 0])).toEqual({ estimate: 1, low: 1, high: 1, n: 2 });
});

describe("of three units", () => {
  test("intervals hold the truth 95 % of the time", () => {
    const random = new Random(1);
    const draw = () => [random.normal(), random.normal(), random.normal()];
    const tries = 400;
    let [means, differences] = [0, 0];
    for (let i = 0; i < tries; ++i) {
      const mean = studentMean(draw());
      const difference = studentDifference(draw(), draw());
      means += Number(mean.low < 0 && mean.high > 0) / tries;
      differences += Number(difference.low < 0 && difference.high > 0) / tries;
    }
    expect(means).toBeGreaterThan(0.92);
    expect(differences).toBeGreaterThan(0.92);
  });
});
