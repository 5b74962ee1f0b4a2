import { expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { rotations } from "../../../engine/rope.js";
import { cholesky, solveLower } from "../../../engine/theory/cholesky.js";
import { dot, multiply, normals } from "../../../engine/theory/matrix.js";
import { leadingTerms, ScoreDirections, turned } from "../../../engine/theory/score-directions.js";
import { singularValues } from "../../../engine/theory/singular-values.js";

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i])));

test("singular values put a matrix together again, in falling order, with orthogonal directions", () => {
  const size = 8;
  const matrix = normals(new Random(1), size * size);
  const { values, left, right } = singularValues(matrix, size);
  const product = new Float64Array(size * size);
  for (let k = 0; k < size; ++k) {
    for (let at = 0; at < product.length; ++at) {
      product[at] += values[k] * left[k * size + Math.floor(at / size)] * right[k * size + (at % size)];
    }
  }
  expect(largestDifference(product, matrix)).toBeLessThan(1e-12);
  expect([...values]).toEqual([...values].sort((a, b) => b - a));
  for (const of of [left, right]) {
    for (let i = 0; i < size; ++i) {
      for (let j = 0; j < size; ++j) {
        expect(dot(of, i * size, of, j * size, size)).toBeCloseTo(Number(i === j), 10);
      }
    }
  }
});

test("a matrix of rank 1 has one singular value, the product of two lengths", () => {
  const matrix = multiply(Float64Array.of(3, 4, 0), Float64Array.of(0, 5, 12), 1); // [3, 1] · [1, 3]
  const { values, left } = singularValues(matrix, 3);
  expect(values[0]).toBeCloseTo(65, 10);
  expect(values[1]).toBeCloseTo(0, 10);
  expect(Math.abs(left[0])).toBeCloseTo(0.6, 10);
});

test("a Cholesky factor solves what it factors, and leaves out what is spanned already", () => {
  const factor = cholesky(Float64Array.of(4, 2, 2, 5), 2);
  expect([...factor]).toEqual([2, 0, 1, 2]);
  expect([...solveLower(factor, [2, 5])]).toEqual([1, 2]);
  const twice = cholesky(Float64Array.of(4, 4, 4, 4), 2);
  expect([...twice]).toEqual([2, 0, 2, 0]);
  expect([...solveLower(twice, [2, 2])]).toEqual([1, 0]);
});

test("vectors are turned as the engine's rotary encoding turns them, and back", () => {
  const rope = { frequencies: () => Float64Array.of(1, 0.3), factor: 1, pairs: "halves" as const };
  const { cosine, sine } = rotations(Int32Array.of(7), rope, 4, 8);
  const x = [0.5, -1, 2, 0.25];
  const partner = [2, 3, 0, 1];
  const rotation = {
    pairs: [
      [0, 2],
      [1, 3],
    ] as const,
    frequencies: rope.frequencies(),
  };
  const there = turned(x, rotation, 7);
  expect(
    largestDifference(
      there,
      x.map((value, i) => value * cosine[i] + x[partner[i]] * sine[i]),
    ),
  ).toBeLessThan(1e-6);
  expect(largestDifference(turned(there, rotation, -7), x)).toBeLessThan(1e-12);
});

test("the terms of a score add up to it at every distance, with biases and without", () => {
  const random = new Random(2);
  const [size, width] = [4, 12];
  const rotation = {
    pairs: [
      [0, 2],
      [1, 3],
    ] as const,
    frequencies: [1, 0.1],
  };
  for (const deviation of [0, 1]) {
    const [query, key] = [0, 1].map(() => ({
      matrix: normals(random, size * width),
      bias: normals(random, size, deviation),
    }));
    const directions = new ScoreDirections(query, key, rotation);
    for (const [i, j] of [
      [5, 5],
      [9, 2],
    ]) {
      const [x, y] = [normals(random, width), normals(random, width)];
      const q = multiply(query.matrix, x, width).map((value, c) => value + query.bias[c]);
      const k = multiply(key.matrix, y, width).map((value, c) => value + key.bias[c]);
      const score = dot(turned(q, rotation, i), 0, turned(k, rotation, j), 0, size);
      const [left, right] = [directions.alongQuery(q, i - j), directions.alongKey(k, i - j)];
      const terms = directions.at(i - j).values.map((value, n) => value * left[n] * right[n]);
      expect(terms.reduce((sum, term) => sum + term, 0)).toBeCloseTo(score, 8);
    }
  }
});

test("leading terms are the fewest that reach the sum, from its side", () => {
  expect(leadingTerms(Float64Array.of(1, 5, -2, 1))).toEqual([1]); // 5 ≥ 5
  expect(leadingTerms(Float64Array.of(3, 3, 3))).toHaveLength(3);
  expect(leadingTerms(Float64Array.of(-4, 1, -3, 2))).toEqual([0]); // −4 ≤ −4
  expect(leadingTerms(Float64Array.of(2, 3, -1))).toEqual([1, 0]); // 3 < 4 ≤ 5
});
