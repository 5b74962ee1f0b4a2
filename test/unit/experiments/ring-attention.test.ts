import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { exactAttention, largestError } from "../../../engine/theory/streaming.js";
import { type Evidence, inRing, ringAttention } from "../../../loaders/experiments/ring-attention.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const devices = [1, 2, 4, 8];
const evidence = (ratio: number, words: (devices: number) => number): Evidence => ({
  seed: 1,
  resamples: 200,
  devices,
  lengths: devices.map((count) => count * 32),
  words: devices.map(words),
  ratios: devices.map(() => [ratio, ratio * 1.1, ratio * 0.9]),
});

describe("claims on rings", () => {
  test("find a ring that is exact and whose devices hold no more", () => {
    const found = judged(
      ringAttention,
      evidence(1, () => 1000),
    );
    for (const { id } of ringAttention.claims) expect(found[id].outcome, id).toBe("replicated");
  });

  test("find none that errs, and whose devices hold the more the longer it is", () => {
    const found = judged(
      ringAttention,
      evidence(100, (count) => 1000 * count),
    );
    for (const { id } of ringAttention.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

test.each([1, 2, 3, 6])("%i devices give what one gives, and hold their block", (count) => {
  const random = new Random(3);
  const normals = () => Float32Array.from({ length: 24 * 8 }, () => random.normal());
  const inputs = { queries: normals(), keys: normals(), values: normals(), size: 8 };
  const { output, words } = inRing(inputs, count);
  expect(largestError(output, exactAttention(inputs))).toBeLessThan(2e-6);
  expect(words).toBe((24 / count) * (4 * 8 + 3));
});

test("every declared table gets its rows", async () => {
  const { batches } = await runPure(ringAttention, { block: 4, devices: [1, 2], size: 4, inputs: 2, resamples: 20 });
  expectDeclaredRows(ringAttention, batches);
});
