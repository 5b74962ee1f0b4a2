import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { attentionRollout, type Evidence, rollout, scores } from "../../../loaders/experiments/attention-rollout.js";
import { judgedOn, plantedModel } from "./planted.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

/** Correlations of four layers in five texts. */
const over = (layers: readonly number[]) =>
  [0, 0.02, -0.02, 0.01, -0.01].map((noise) => layers.map((value) => value + noise));

const evidence = (raw: number[], composed: number[], uniform: number[]): Evidence => ({
  seed: 1,
  resamples: 200,
  correlations: { raw: over(raw), rollout: over(composed), "rollout of uniform attention": over(uniform) },
});

describe("claims on rollout", () => {
  test("find that it agrees where raw attention no longer does", () => {
    const found = judged(attentionRollout, evidence([0.6, 0.5, 0.1, 0], [0.6, 0.6, 0.6, 0.6], [0.2, 0.2, 0.2, 0.2]));
    for (const { id } of attentionRollout.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["rollout-beats-raw-above"].estimate).toBeCloseTo(0.55);
  });

  test("find nothing where both agree alike, with the mask too, at any depth", () => {
    const same = [0.4, 0.4, 0.4, 0.4];
    const found = judged(attentionRollout, evidence(same, same, same));
    for (const { id } of attentionRollout.claims) expect(found[id].outcome, id).toBe("not replicated");
  });
});

test("rollout composes layers with half of the residual stream", () => {
  const toFirst = Float64Array.of(1, 0, 1, 0); // both queries attend to the first token
  const [one, two] = rollout([toFirst, toFirst], 2);
  expect([...one]).toEqual([1, 0, 0.5, 0.5]);
  expect([...two]).toEqual([1, 0, 0.75, 0.25]);
});

test("scores leave out the first token and the last position itself", () => {
  const attention = Float64Array.from([1, 0, 0, 0, 0.5, 0.5, 0, 0, 0.2, 0.3, 0.5, 0, 0.1, 0.2, 0.3, 0.4]);
  expect(scores([attention], 4).raw).toEqual([[0.2, 0.3]]);
  expect(scores([attention], 4)["rollout of uniform attention"]).toEqual([[0.125, 0.125]]);
});

describe("a run", () => {
  const tokens = 24;
  const parameters = { ...attentionRollout.parameters, documents: 40, tokens, resamples: 200 };
  const random = new Random(5);
  const weights = (count: number) => Float32Array.from({ length: count }, () => random.next());
  const matters = weights(tokens + 1); // by position, the same in every text
  const shares = (of: Float32Array) => of.map((weight) => weight / of.reduce((sum, other) => sum + other, 0));
  const hidden = ({ keyBias }: { readonly keyBias?: { readonly data: ArrayLike<number> } }) =>
    Array.from(keyBias?.data ?? []).findIndex((bias) => bias < 0);
  /** Hiding a token changes the prediction by what the token matters. */
  const model = (row: (layer: number, query: number) => Float32Array) =>
    plantedModel({
      ...{ layers: 4, heads: 1, vocabulary: 97 },
      row: (_, layer, __, query) => row(layer, query),
      logProbability: (prompt) => new Float32Array(tokens).fill(hidden(prompt) < 0 ? -1 : -1 - matters[hidden(prompt)]),
    });
  const inputs = { texts: texts(parameters.documents, 60) };

  test("finds that rollout carries upwards what only the first layer attends to", async () => {
    const planted = model((layer, query) => {
      if (layer === 0) return shares(matters.slice(0, query + 1));
      return shares(weights(query + 1).map((weight, key) => (key === query ? 20 : weight / (query + 1))));
    });
    const { claims } = await judgedOn(attentionRollout, parameters, planted, { inputs });
    for (const { id } of attentionRollout.claims) expect(claims[id].outcome, id).toBe("replicated");
  });

  test("finds nothing where attention has nothing to do with what matters", async () => {
    const noise = model((_, query) => shares(weights(query + 1)));
    const { claims } = await judgedOn(attentionRollout, parameters, noise, { inputs });
    for (const { id } of attentionRollout.claims) expect(claims[id].outcome, id).not.toBe("replicated");
  });
});

test("a model's attention is held against what hiding tokens changes", async () => {
  const parameters = { ...attentionRollout.parameters, documents: 2, tokens: 10, resamples: 20 };
  const run = await runSmall(attentionRollout, parameters, { texts: texts(2, 60) });
  expectDeclaredRows(
    attentionRollout,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  expect(run.tables.get("correlations")).toHaveLength(3 * 3);
  for (const layers of run.evidence.correlations.raw.flat()) expect(Math.abs(layers)).toBeLessThanOrEqual(1);
});
