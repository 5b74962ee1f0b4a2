import { describe, expect, test } from "vitest";
import { metrics } from "../../../engine/metrics/index.js";
import { basinDepth, itemAttention } from "../../../engine/metrics/items.js";
import {
  distanceOctaves,
  firstTokenMass,
  mass,
  octaves,
  previousTokenMass,
  selfMass,
  topMass,
} from "../../../engine/metrics/mass.js";
import { tokenUniformity, valueNorm } from "../../../engine/metrics/norms.js";
import {
  duplicateToken,
  induction,
  inductionTargets,
  previousToken,
  retrievalScore,
} from "../../../engine/metrics/patterns.js";
import { effectiveSupport, entropy, maximum, meanDistance, normalisedEntropy } from "../../../engine/metrics/rows.js";
import { laterSinks, received, receivedPerQuery, sinkRate } from "../../../engine/metrics/sinks.js";

const close = (value: number) => expect.closeTo(value, 12);

/** Every query spreads its attention evenly over what it sees. */
const uniform = (tokens: number) =>
  Array.from({ length: tokens }, (_, q) => new Array<number>(q + 1).fill(1 / (q + 1)));
/** Every query attends to one key only. */
const onto = (keys: number[]) => keys.map((key, q) => Array.from({ length: q + 1 }, (_, k) => Number(k === key)));

describe("registry", () => {
  test("names every metric once and says all that is needed to recompute it", () => {
    expect(new Set(metrics.map(({ id }) => id)).size).toBe(metrics.length);
    for (const { id, version, unit, formula, edges, source } of metrics) {
      expect(version, id).toBeGreaterThanOrEqual(1);
      for (const text of [unit, formula, edges, source]) expect(text, id).not.toBe("");
      expect(source, id).toMatch(/\d{4}/);
    }
  });
});

describe("rows", () => {
  test("spread evenly", () => {
    const row = uniform(8)[7];
    expect(entropy.reference(row)).toBeCloseTo(Math.log(8), 12);
    expect(normalisedEntropy.reference(row, 8)).toBeCloseTo(1, 12);
    expect(effectiveSupport.reference(row)).toBeCloseTo(8, 12);
    expect(maximum.reference(row)).toBe(1 / 8);
    expect(meanDistance.reference(row, 7)).toBeCloseTo(3.5, 12);
  });

  test("on one key", () => {
    const row = onto([0, 0, 0, 1])[3];
    expect(entropy.reference(row)).toBe(0);
    expect(effectiveSupport.reference(row)).toBe(1);
    expect(maximum.reference(row)).toBe(1);
    expect(meanDistance.reference(row, 3)).toBe(2);
    expect(mass.reference(row, [0, 1, 1, 0])).toBe(1);
    expect(mass.reference(row, [1, 0, 0, 1])).toBe(0);
  });

  test("put mass on telling keys, and on the most attended ones", () => {
    const row = [0.1, 0.4, 0.2, 0.3];
    expect(firstTokenMass.reference(row, 3)).toBe(0.1);
    expect(selfMass.reference(row, 3)).toBe(0.3);
    expect(previousTokenMass.reference(row, 3)).toBe(0.2);
    expect(previousTokenMass.reference([1], 0)).toBeNaN();
    expect(topMass(2).reference(row, 3)).toBeCloseTo(0.7, 12);
    expect(topMass(8).reference(row, 3)).toBeCloseTo(1, 12);
  });

  test("with one visible key have no normalised entropy", () => {
    expect(normalisedEntropy.reference([1], 1)).toBeNaN();
  });
});

describe("sinks", () => {
  test("receive from every query that can see them", () => {
    expect(received.reference(onto([0, 0, 0, 3]))).toEqual([3 / 4, 0, 0, 1]);
    expect(received.reference(uniform(3))).toEqual([
      close((1 + 1 / 2 + 1 / 3) / 3),
      close((1 / 2 + 1 / 3) / 2),
      close(1 / 3),
    ]);
    expect(receivedPerQuery([4, 3, 2, 1])).toEqual([1, 1, 1, 1]);
  });

  test("are counted above the threshold only", () => {
    const heads = [onto([0, 0, 0, 0]), onto([0, 1, 2, 3]), onto([0, 0, 2, 3])];
    expect(sinkRate.reference(heads)).toBeCloseTo(2 / 3, 12);
    expect(sinkRate.reference(heads, 0.6)).toBeCloseTo(1 / 3, 12);
    expect(laterSinks.reference(onto([0, 1, 1, 1, 4]))).toEqual([1, 4]);
    expect(laterSinks.reference(onto([0, 1, 1, 1, 4]), 2)).toEqual([1]);
  });
});

describe("distances", () => {
  test("fall into octaves that sum to 1", () => {
    const shares = distanceOctaves.reference(uniform(9));
    expect(shares).toHaveLength(5); // 0, 1, 2–3, 4–7, 8
    expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(shares[4]).toBeCloseTo(1 / 81, 12);
    expect(octaves([1, 2, 3, 4])).toEqual([1 / 4, 2 / 4, 7 / 4]);
  });
});

describe("patterns", () => {
  const ids = [5, 6, 7, 5, 6, 6];

  test("look at the previous token, its duplicate, and what followed that", () => {
    expect(previousToken.reference(onto([0, 0, 1, 2, 3, 4]), ids)).toBe(1);
    expect(duplicateToken.reference(onto([0, 0, 0, 0, 1, 4]), ids)).toBe(1);
    expect([...inductionTargets(ids)]).toEqual([-1, -1, -1, 1, 2, -1]);
    expect(induction.reference(onto([0, 0, 0, 1, 2, 0]), ids)).toBe(1);
    expect(induction.reference(onto([0, 0, 0, 1, 0, 0]), ids)).toBe(1 / 2);
  });

  test("are undefined where no token repeats", () => {
    expect(duplicateToken.reference(uniform(3), [1, 2, 3])).toBeNaN();
    expect(induction.reference(uniform(3), [1, 2, 3])).toBeNaN();
    expect(previousToken.reference(uniform(1), [1])).toBeNaN();
  });

  test("count a retrieval where the needle is looked at and said", () => {
    const attention = onto([0, 0, 1, 1]);
    expect(retrievalScore.reference(attention, [-1, -1, 1, 1], [0, 0, 1, 1])).toBe(1);
    expect(retrievalScore.reference(attention, [-1, -1, 1, 1], [0, 0, 1, 0])).toBe(1 / 2);
    expect(retrievalScore.reference(attention, [-1, 0, 0, 1], [1, 1, 1, 1])).toBeCloseTo(2 / 3, 12);
  });
});

describe("items", () => {
  test("share their attention, and dip in the middle or not", () => {
    const items = [
      { start: 0, end: 2 },
      { start: 2, end: 4 },
      { start: 4, end: 6 },
    ];
    const row = [0.2, 0.1, 0.05, 0.05, 0.1, 0.1, 0.4];
    const matrix = [...uniform(6), row];
    const attention = itemAttention.reference([matrix], [6], items);
    expect(attention).toEqual([close(1 / 2), close(1 / 6), close(1 / 3)]);
    expect(basinDepth.reference(attention)).toBeCloseTo(2, 12);
    expect(basinDepth.reference([1, 2, 3])).toBeCloseTo(1 / 2, 12);
    expect(basinDepth.reference([1, 2])).toBeNaN();
  });
});

test("norms are Euclidean", () => {
  expect(valueNorm.reference([3, 4])).toBe(5);
});

test("tokens are alike, or have nothing in common", () => {
  expect(
    tokenUniformity.reference([
      [1, 2],
      [1, 2],
      [1, 2],
    ]),
  ).toBeCloseTo(0, 7);
  expect(
    tokenUniformity.reference([
      [1, 2],
      [-1, -2],
    ]),
  ).toBe(1);
  expect(
    tokenUniformity.reference([
      [3, 0],
      [1, 0],
    ]),
  ).toBeCloseTo(Math.sqrt(2 / 10), 12);
});
