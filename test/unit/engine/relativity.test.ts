import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { keyCorrelation, keySlope, nonRelative, nonRelativity, rising } from "../../../engine/relativity.js";

const TOKENS = 12;
const field = (score: (query: number, key: number) => number) =>
  Float64Array.from({ length: TOKENS * TOKENS }, (_, at) => score(Math.floor(at / TOKENS), at % TOKENS));

describe("mean scores", () => {
  test("that follow the distance alone are relative", () => {
    const scores = field((query, key) => Math.sin(query - key));
    expect(nonRelativity(scores, TOKENS)).toBeCloseTo(0, 12);
    expect(Math.max(...nonRelative(scores, TOKENS).map(Math.abs))).toBeCloseTo(0, 12);
  });

  test("with a planted absolute part have exactly that part in N", () => {
    // u(i) v(j) with both of mean 0 on every diagonal is hard to plant; one bright key is not.
    const scores = field((query, key) => -(query - key) + (key === 3 ? 5 : 0));
    const residual = nonRelative(scores, TOKENS);
    // Diagonal 1 has 11 pairs, one of them with key 3.
    expect(residual[4 * TOKENS + 3]).toBeCloseTo(5 - 5 / 11, 12);
    expect(residual[5 * TOKENS + 4]).toBeCloseTo(-5 / 11, 12);
    expect(nonRelativity(scores, TOKENS)).toBeGreaterThan(0.1);
  });

  test("the first key can be left out", () => {
    const scores = field((query, key) => (key === 0 ? 100 : key - query));
    expect(nonRelativity(scores, TOKENS)).toBeGreaterThan(0.5);
    expect(nonRelativity(scores, TOKENS, 1)).toBeCloseTo(0, 12);
  });

  test("a token's score with itself does not count", () => {
    const scores = field((query, key) => (query === key ? query ** 3 : query - key));
    expect(nonRelativity(scores, TOKENS)).toBeCloseTo(0, 12);
    expect(keySlope(scores, TOKENS)).toBeCloseTo(-1, 12);
  });
});

describe("recency", () => {
  test("slope and rank correlation find a planted rise and its direction", () => {
    const scores = field((query, key) => 0.25 * key + 7 * query);
    expect(keySlope(scores, TOKENS)).toBeCloseTo(0.25, 12);
    expect(keyCorrelation(scores, TOKENS)).toBeCloseTo(1, 12);
    expect(rising(scores, TOKENS)).toBe(1);
    const falling = scores.map((score) => -score);
    expect(keyCorrelation(falling, TOKENS)).toBeCloseTo(-1, 12);
    expect(rising(falling, TOKENS)).toBe(0);
  });

  test("noise has none, and constant rows have no rank correlation", () => {
    const random = new Random(1);
    const slopes = Array.from({ length: 200 }, () =>
      keySlope(
        field(() => random.normal()),
        TOKENS,
      ),
    );
    const mean = slopes.reduce((a, b) => a + b) / slopes.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(
      keyCorrelation(
        field(() => 1),
        TOKENS,
      ),
    ).toBeNaN();
  });
});
