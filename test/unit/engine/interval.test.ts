import { describe, expect, it } from "vitest";
import { bootstrap, bootstrapGroups, mean, quantile, ranks, spearman, wilson } from "../../../engine/interval.js";
import { Random } from "../../../engine/random.js";

describe("intervals", () => {
  it("takes quantiles as NumPy does", () => {
    expect(quantile([3, 1, 2, 4], 0.5)).toBe(2.5);
    expect(quantile([3, 1, 2, 4], 0.1)).toBeCloseTo(1.3, 12); // numpy.quantile([1,2,3,4], .1)
  });

  it("covers a known mean in about 95 of 100 samples", () => {
    const random = new Random(5);
    let covered = 0;
    for (let trial = 0; trial < 200; ++trial) {
      const sample = Array.from({ length: 60 }, () => 2 + random.normal());
      const { low, high } = bootstrap(sample, mean, { seed: trial, resamples: 400 });
      if (low <= 2 && 2 <= high) ++covered;
    }
    expect(covered).toBeGreaterThanOrEqual(180);
    expect(covered).toBeLessThanOrEqual(198);
  });

  it("finds a planted difference between groups and none where there is none", () => {
    const random = new Random(6);
    const draw = (shift: number) => Array.from({ length: 80 }, () => shift + random.normal());
    const difference = (groups: readonly (readonly number[])[]) => mean(groups[1]) - mean(groups[0]);
    expect(bootstrapGroups([draw(0), draw(1)], difference).low).toBeGreaterThan(0.5);
    const none = bootstrapGroups([draw(0), draw(0)], difference);
    expect(none.low).toBeLessThan(0);
    expect(none.high).toBeGreaterThan(0);
  });

  it("gives Wilson's interval as published", () => {
    const { low, high } = wilson(81, 263); // Newcombe 1998, table I: 0.2553 to 0.3662
    expect(low).toBeCloseTo(0.2553, 4);
    expect(high).toBeCloseTo(0.3662, 4);
    expect(wilson(0, 20).low).toBe(0);
    expect(wilson(20, 20).high).toBe(1);
  });

  it("ranks ties by their mean and correlates by rank", () => {
    expect([...ranks([10, 20, 20, 5])]).toEqual([2, 3.5, 3.5, 1]);
    expect(spearman([1, 2, 3, 4], [1, 8, 27, 64])).toBe(1);
    expect(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toBeCloseTo(0.8207826817, 9); // scipy.stats.spearmanr
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
  });
});
