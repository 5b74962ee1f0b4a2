import { describe, expect, test } from "vitest";
import { type CausalMaskOptions, CausalMaskSimulation } from "../../../engine/causal-mask.js";
import { keySlope, nonRelativity, rising } from "../../../engine/relativity.js";

const small: CausalMaskOptions = {
  layers: 3,
  tokens: 16,
  width: 32,
  alpha: 0.4,
  mask: "causal",
  norm: "unit",
  ropeBase: 0,
};

function run(options: Partial<CausalMaskOptions>, sequences: number): Float64Array[] {
  const simulation = new CausalMaskSimulation({ ...small, ...options }, 3);
  simulation.run(sequences);
  return Array.from({ length: small.layers }, (_, layer) => simulation.scores(layer));
}

describe("one layer", () => {
  test("scores unit vectors, mixes them by causal softmax, and adds them to the raw input", () => {
    const simulation = new CausalMaskSimulation({ ...small, tokens: 2, width: 2 }, 0);
    const { scores, output } = simulation.layer(Float64Array.of(2, 0, 3, 4)); // h = (1, 0), (0.6, 0.8)
    expect([...scores]).toEqual([1, 0, expect.closeTo(0.6, 12), expect.closeTo(1, 12)]);
    const near = Math.exp(1) / (Math.exp(0.6) + Math.exp(1));
    expect([...output]).toEqual([
      expect.closeTo(3, 12),
      expect.closeTo(0, 12),
      expect.closeTo(3 + (1 - near) * 1 + near * 0.6, 12),
      expect.closeTo(4 + near * 0.8, 12),
    ]);
  });

  test("with the full mask every token sees every other", () => {
    const simulation = new CausalMaskSimulation({ ...small, tokens: 2, width: 2, mask: "full" }, 0);
    const { scores, output } = simulation.layer(Float64Array.of(1, 0, 0, 1));
    expect(scores[1]).toBe(0);
    expect(output[1]).toBeCloseTo(1 / (Math.E + 1), 12);
  });

  test("layer norm takes the mean out and scales by the width", () => {
    const simulation = new CausalMaskSimulation({ ...small, tokens: 2, width: 2, norm: "layer" }, 0);
    const { scores } = simulation.layer(Float64Array.of(5, 3, 0, 8)); // h = (1, −1), (−1, 1)
    expect(scores[2]).toBeCloseTo(-Math.SQRT2, 12);
  });

  test("rotated scores depend on the distance alone where the inputs are the same", () => {
    const simulation = new CausalMaskSimulation({ ...small, ropeBase: 10000 }, 0);
    const same = Float64Array.from({ length: small.tokens * small.width }, (_, at) => Math.sin(at % small.width));
    const { scores } = simulation.layer(same);
    expect(nonRelativity(scores, small.tokens)).toBeCloseTo(0, 10);
    expect(scores[5 * small.tokens + 2]).toBeCloseTo(scores[12 * small.tokens + 9], 10);
    expect(scores[5 * small.tokens + 2]).not.toBeCloseTo(scores[5 * small.tokens + 4], 3);
  });
});

describe("mean scores", () => {
  test("are flat in the first layer and rise towards near keys in later ones, as the paper's simulation has it", () => {
    const [first, second, third] = run({}, 3000);
    for (const scores of [second, third]) {
      expect(rising(scores, small.tokens)).toBeGreaterThan(0.9);
      expect(keySlope(scores, small.tokens)).toBeGreaterThan(0.002);
    }
    expect(Math.abs(keySlope(first, small.tokens))).toBeLessThan(0.0002);
    expect(first[15 * small.tokens + 2]).toBeCloseTo(0.4, 1);
  });

  test("stay flat without the mask", () => {
    for (const scores of run({ mask: "full" }, 2000)) {
      expect(Math.abs(keySlope(scores, small.tokens))).toBeLessThan(0.0003);
    }
  });

  test("of independent inputs in many dimensions are those of the closed form, which shrinks down each diagonal", () => {
    // Scores with others vanish, so that query i gives itself e/(e + i) and each of its i earlier keys 1/(e + i).
    const one = (i: number) => 1 / (Math.E + i);
    const norm = (i: number) => Math.sqrt((1 + Math.E * one(i)) ** 2 + i * one(i) ** 2);
    const expected = (i: number, j: number) => {
      return (one(i) * (1 + Math.E * one(j)) + j * one(i) * one(j)) / (norm(i) * norm(j));
    };
    const tokens = 8;
    const [first, second] = run({ tokens, width: 512, alpha: 0 }, 400);
    for (const [i, j] of [
      [1, 0],
      [4, 0],
      [4, 3],
      [7, 1],
      [7, 6],
    ]) {
      expect(first[i * tokens + j]).toBeCloseTo(0, 1);
      expect(second[i * tokens + j]).toBeCloseTo(expected(i, j), 2);
    }
    for (const distance of [1, 2, 4]) {
      const late = second[(tokens - 1) * tokens + tokens - 1 - distance];
      expect(second[(distance + 1) * tokens + 1]).toBeGreaterThan(1.05 * late);
    }
  });

  test("under rotation only the mask adds absolute position", () => {
    const [, masked] = run({ ropeBase: 10000, alpha: 0.5 }, 1500);
    const [, full] = run({ ropeBase: 10000, alpha: 0.5, mask: "full" }, 1500);
    expect(nonRelativity(masked, small.tokens)).toBeGreaterThan(10 * nonRelativity(full, small.tokens));
  });

  test("are the same for the same seed, in one go or in two", () => {
    const once = new CausalMaskSimulation(small, 5);
    once.run(8);
    const twice = new CausalMaskSimulation(small, 5);
    twice.run(3);
    twice.run(5);
    expect([...twice.scores(2)]).toEqual([...once.scores(2)]);
    expect(twice.sequences).toBe(8);
    const other = new CausalMaskSimulation(small, 6);
    other.run(8);
    expect([...other.scores(2)]).not.toEqual([...once.scores(2)]);
  });
});
