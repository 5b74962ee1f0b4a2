/** Rotary angles as transformers 5.17 computes them (`LlamaRotaryEmbedding`, head size 24, rope_theta 500000). */
import { expect, test } from "vitest";
import { plainFrequencies, rotations } from "../../../engine/rope.js";

const frequencies = [
  1.0, 0.335031629, 0.112246193, 0.0376060307, 0.0125992084, 0.00422113482, 0.00141421345, 0.000473806402,
  0.000158740062, 5.31829573e-5, 1.78179798e-5, 5.96958353e-6,
];
const cosines = [
  -0.969540656, 0.0976071954, -0.930426538, 0.917149901, 0.992957175, -0.387982786, 0.809353411, -0.318318754,
  0.805189431, 0.977469027, 0.997462511, 0.99971509,
];

test("thousands of tokens on, a pair stands where float32 arithmetic has turned it", () => {
  const rope = { frequencies: () => plainFrequencies(500_000, 24), factor: 1, pairs: "halves" } as const;
  rope.frequencies().forEach((frequency, i) => {
    expect(Math.abs(frequency / frequencies[i] - 1)).toBeLessThan(1e-7);
  });
  const { cosine } = rotations(Int32Array.of(3999), rope, 24, 4000);
  cosines.forEach((reference, i) => {
    expect(Math.abs(cosine[i] - reference)).toBeLessThan(1e-6); // exact angles are 5e-5 off
  });
});
