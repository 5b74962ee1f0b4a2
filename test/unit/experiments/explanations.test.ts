import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import {
  deletionEffects,
  type Evidence,
  explain,
  explanations,
  gradient,
  output,
  randomClassifier,
} from "../../../loaders/experiments/explanations.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const agreement = (correlation: number, size: number, signs: number) =>
  [0, 0.01, -0.01, 0.02].map((noise) => ({
    correlation: correlation + noise,
    size: size + noise,
    signs: signs + noise,
  }));

describe("claims on explanations", () => {
  test("find methods that agree better than attention", () => {
    const planted: Evidence = {
      seed: 1,
      resamples: 200,
      agreement: {
        attention: agreement(0.1, 0.5, 0.5),
        "gradient × input": agreement(0.9, 0.8, 0.9),
        LIME: agreement(0.9, 0.8, 0.9),
      },
    };
    const found = judged(explanations, planted);
    for (const { id } of explanations.claims) expect(found[id].outcome, id).toBe("replicated");
  });

  test("find none where all agree alike", () => {
    const same = agreement(0.5, 0.5, 0.5);
    const null_ = { seed: 1, resamples: 200, agreement: { attention: same, "gradient × input": same, LIME: same } };
    const found = judged(explanations, null_);
    for (const { id } of explanations.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

const shape = { tokens: 6, width: 8, heads: 2, sharpness: 1.5 };

test("the gradient is that of finite differences", () => {
  const classifier = randomClassifier(new Random(4), shape);
  const slopes = gradient(classifier);
  for (const at of [0, 7, 20, 47]) {
    const moved = (by: number) => output({ ...classifier, x: classifier.x.map((v, i) => (i === at ? v + by : v)) });
    expect(slopes[at]).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 7);
  }
});

test("a token without attention explains nothing, and its deletion changes nothing", () => {
  const classifier = randomClassifier(new Random(4), { ...shape, heads: 1 });
  const x = classifier.x.slice();
  // Opposite to the query by far: its weight is 0.
  for (let c = 0; c < 8; ++c) x[c] = -200 * classifier.queries[0][c];
  const blind = { ...classifier, x };
  expect(deletionEffects(blind)[0]).toBeCloseTo(0);
  expect(explain(blind).attention[0]).toBeCloseTo(0);
  expect(explain(blind)["gradient × input"][0]).toBeCloseTo(0);
});

test("every declared table gets its rows", async () => {
  const { batches } = await runPure(explanations, { ...shape, classifiers: 2, resamples: 20 });
  expectDeclaredRows(explanations, batches);
});
