import { describe, expect, test } from "vitest";
import { extraLosses, withSets } from "../../../loaders/analysis/random-sets.js";

const options = { seed: 1, resamples: 500 };
const units = (cuts: readonly number[]) => cuts.map((cut) => ({ whole: 1, cut }));
const texts = [0.48, 0.5, 0.52, 0.51];

describe("a comparison with random sets", () => {
  const own = units([0.2, 0.22, 0.18, 0.2]);
  const against = (sets: readonly number[]) => {
    const random = sets.map((shift) => units(texts.map((cut) => cut + shift)));
    return extraLosses([{ own, random }], ([loss]) => loss, options);
  };

  test("has the loss beyond the mean of the sets, and counts units", () => {
    const { estimate, n } = against([-0.1, 0, 0.1]);
    expect(estimate).toBeCloseTo(0.5025 - 0.2, 12);
    expect(n).toBe(4);
  });

  test("has a wider interval where sets differ, and the old one where they do not", () => {
    const width = ({ low, high }: { readonly low: number; readonly high: number }) => high - low;
    const [alike, differ] = [against([0, 0, 0]), against([-0.3, 0, 0.3])];
    expect(differ.estimate).toBeCloseTo(alike.estimate, 12);
    expect(width(alike)).toBeLessThan(0.05);
    expect(width(differ)).toBeGreaterThan(0.3);
  });

  test("is narrower with more sets", () => {
    const spread = [-0.3, 0, 0.3];
    const [few, many] = [against(spread), against(Array.from({ length: 5 }, () => spread).flat())];
    expect(many.high - many.low).toBeLessThan(0.6 * (few.high - few.low));
  });

  test("draws the same sets for all tasks, so that what they share cancels", () => {
    const random = [-0.3, 0, 0.3].map((shift) => units(texts.map((cut) => cut + shift)));
    const flat = { own, random: random.map((set) => units(set.map(() => set[1].cut))) };
    const { low, high } = extraLosses([flat, flat], ([first, second]) => first - second, options);
    expect(high - low).toBeLessThan(0.05);
  });

  test("hands over the numbers of units of each kind, and of sets", () => {
    const { n } = withSets(
      [3, 5],
      2,
      ([first, second], sets) => {
        expect([first.length, second.length, sets.length]).toEqual([3, 5, 2]);
        expect(Math.max(...second)).toBeLessThan(5);
        expect(Math.max(...sets)).toBeLessThan(2);
        return 0;
      },
      options,
    );
    expect(n).toBe(3);
  });
});
