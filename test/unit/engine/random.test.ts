import { describe, expect, it } from "vitest";
import { Random } from "../../../engine/random.js";

describe("Random", () => {
  it("repeats with the same seed and differs with another", () => {
    const draw = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 5 }, () => random.next());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it("is uniform: a chi-square over 64 cells stays below the 0.1 % point", () => {
    const random = new Random(1);
    const cells = new Float64Array(64);
    const n = 64_000;
    for (let i = 0; i < n; ++i) ++cells[Math.floor(random.next() * 64)];
    const chi2 = cells.reduce((sum, c) => sum + (c - n / 64) ** 2 / (n / 64), 0);
    expect(chi2).toBeLessThan(103.4);
    expect(chi2).toBeGreaterThan(33);
  });

  it("draws a standard normal: first four moments", () => {
    const random = new Random(2);
    const n = 200_000;
    const moments = [0, 0, 0, 0];
    for (let i = 0; i < n; ++i) {
      const x = random.normal();
      for (let k = 0; k < 4; ++k) moments[k] += x ** (k + 1) / n;
    }
    expect(moments[0]).toBeCloseTo(0, 2);
    expect(moments[1]).toBeCloseTo(1, 1);
    expect(moments[2]).toBeCloseTo(0, 1);
    expect(Math.abs(moments[3] - 3)).toBeLessThan(0.1);
  });

  it("shuffles into every order equally often, and leaves its input alone", () => {
    const random = new Random(3);
    const input = Object.freeze([0, 1, 2]);
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; ++i) {
      const key = random.shuffle(input).join("");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
