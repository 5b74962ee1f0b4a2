import { expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { softmax, unitVectors } from "../../../engine/theory/matrix.js";
import { byWeight, distanceCeiling, gramOf, separations } from "../../../engine/theory/selection.js";

const [count, width] = [24, 6];
const random = new Random(3);
const vectors = unitVectors(random, count, width);
const weights = Float64Array.from({ length: 20 }, () => 2 * random.normal());
softmax(weights);
const vector = (i: number) => Array.from(vectors.subarray(i * width, (i + 1) * width));

/** As the definition says, vector by vector. */
function plain(order: readonly number[], size: number) {
  const scaled = order.map((key) => vector(key).map((value) => weights[key] * value));
  const sum = Array.from({ length: width }, (_, c) => scaled.slice(0, size).reduce((total, of) => total + of[c], 0));
  const distances = scaled.map((of) => Math.hypot(...of.map((value, c) => value - sum[c])));
  const outside = distances.slice(size);
  return {
    distance: outside.reduce((total, distance) => total + distance, 0),
    separable: distances.slice(0, size).filter((distance) => distance < Math.min(...outside)).length / size,
  };
}

test("one walk along an order gives what the definition gives for each size", () => {
  const sizes = [1, 2, 5, 11, 19];
  const gram = gramOf(vectors, width);
  for (const order of [byWeight(weights), random.shuffle(byWeight(weights))]) {
    const found = separations(weights, gram, order, sizes);
    for (const [i, size] of sizes.entries()) {
      const { distance, separable } = plain(order, size);
      expect(found[i].distance).toBeCloseTo(distance, 10);
      expect(found[i].separable).toBe(separable);
    }
  }
});

test("no distance is above its ceiling", () => {
  const gram = gramOf(vectors, width);
  const order = byWeight(weights);
  for (let size = 1; size < order.length; ++size) {
    const [{ distance }] = separations(weights, gram, order, [size]);
    expect(distance).toBeLessThanOrEqual(distanceCeiling(weights, gram, order, size));
  }
});

test("a single heavy key is separable, and all others are its weight away", () => {
  const gram = gramOf(Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), 3);
  const [found] = separations([1, 0, 0], gram, [0, 1, 2], [1]);
  expect(found).toEqual({ distance: 2, separable: 1 });
});
