import { describe, expect, test } from "vitest";
import { Random } from "../../../engine/random.js";
import { exactShare, gaussianShare, splitOf } from "../../../engine/theory/local-share.js";
import { auc } from "../../../loaders/analysis/auc.js";
import { contextHeads, type Evidence } from "../../../loaders/experiments/context-heads.js";
import { factRecords } from "./facts.js";
import { expectDeclaredRows, judged } from "./pure.js";
import { runSmall, texts } from "./subject.js";

const around = (value: number) => [0.98, 1, 1.02, 1.01].map((factor) => value * factor);
const shares = [0.6, 0.9];

const evidence = (of: {
  /** Share of queries for which each of five heads needs the context. */
  readonly needs: readonly number[];
  readonly auc: number;
  readonly adaptive: number;
  readonly fixed: number;
}): Evidence => {
  const accuracy = around(of.auc).map((value) => ({ all: value, within: value }));
  return {
    seed: 1,
    resamples: 200,
    shares,
    needs: around(1).map((factor) => of.needs.map((need) => need * factor)),
    accuracy: { bulk: accuracy, "local keys": accuracy, "another text": accuracy },
    answered: 1,
    rises: {
      oracle: [around(0), around(0)],
      adaptive: [around(0), around(of.adaptive)],
      static: [around(0.1), around(of.fixed)],
      random: [around(1), around(3)],
    },
  };
};

describe("claims on heads that need the context", () => {
  const planted = evidence({ needs: [0, 0, 0.5, 0.6, 1], auc: 0.96, adaptive: 0.02, fixed: 2 });

  test("find both kinds of heads, and a rule that tells them", () => {
    const found = judged(contextHeads, planted);
    for (const { id } of contextHeads.claims) expect(found[id].outcome, id).toBe("replicated");
    expect(found["some-heads-are-always-local"].estimate).toBe(0.4);
  });

  test("find neither where all heads are alike and the estimate says nothing", () => {
    const found = judged(contextHeads, evidence({ needs: [1, 1, 1, 1, 1], auc: 0.5, adaptive: 2, fixed: 2 }));
    for (const { id } of contextHeads.claims) expect(found[id].outcome, id).toBe("not replicated");
  });

  test("test no cost where the whole model does not answer", () => {
    const found = judged(contextHeads, { ...planted, answered: 0.1 });
    for (const id of ["most-heads-can-be-local", "adaptive-beats-static"])
      expect(found[id].outcome, id).toBe("not testable at this scale");
  });
});

describe("the share that stays local", () => {
  test("splits keys into the first, the last, and those between", () => {
    const split = splitOf(9, { sinks: 2, window: 3 });
    expect(split).toEqual({ sinks: { first: 0, end: 2 }, bulk: { first: 2, end: 7 }, window: { first: 7, end: 10 } });
    expect(splitOf(2, { sinks: 2, window: 3 }).bulk).toEqual({ first: 2, end: 2 });
    expect(splitOf(0, { sinks: 2, window: 3 }).window).toEqual({ first: 1, end: 1 });
  });

  test("is the sum of attention on local keys", () => {
    const split = splitOf(4, { sinks: 1, window: 2 });
    expect(exactShare([0, 0, 0, 0, 0], split)).toBeCloseTo(3 / 5, 12);
    expect(exactShare([0, 900, 0, 0, 0], split)).toBe(0);
    expect(exactShare([0, -900, -900, 0, 0], split)).toBe(1);
  });

  test("is estimated right where far scores are Gaussian, and wrong where one key stands out", () => {
    const random = new Random(5);
    const scores = Float64Array.from({ length: 4000 }, () => 1 + 0.8 * random.normal());
    const split = splitOf(3999, { sinks: 4, window: 400 });
    const estimate = () => gaussianShare(scores, split, scores, [split.bulk]);
    expect(estimate()).toBeCloseTo(exactShare(scores, split), 2);
    scores[100] = 12;
    expect(estimate() - exactShare(scores, split)).toBeGreaterThan(0.03);
  });
});

test("the area under the curve counts pairs in the right order", () => {
  expect(auc([1, 2, 3, 4], [false, false, true, true])).toBe(1);
  expect(auc([4, 3, 2, 1], [false, false, true, true])).toBe(0);
  expect(auc([1, 2, 2, 3], [false, true, false, true])).toBe(0.875); // three of four, and half of a tie
  expect(auc([1, 2], [true, true])).toBeNaN();
});

test("shares are measured and bulks hidden in a real model", async () => {
  const parameters = {
    ...contextHeads.parameters,
    ...{ documents: 2, tokens: 60, sinks: 2, window: 8, every: 4, threshold: 0.4, resamples: 20 },
    ...{ ranking: 1, lists: 1, items: 5, listWindow: 4, shares: [0.5, 0.9] },
  };
  const run = await runSmall(contextHeads, parameters, { texts: texts(2, 90), records: factRecords(5) });
  expectDeclaredRows(
    contextHeads,
    [...run.tables].map(([table, rows]) => ({ table, rows })),
  );
  expect(run.tables.get("costs")).toHaveLength(4 * 2);
  expect(run.evidence.rises.random[1].some((rise) => Math.abs(rise) > 1e-6)).toBe(true);
  expect(run.evidence.rises.static[0]).toHaveLength(2);
  expect(run.progress.every((share) => share < 1)).toBe(true);
});

test("a model with more than a softmax of products is refused by name", async () => {
  const run = runSmall(contextHeads, contextHeads.parameters, {}, { checkpoint: "bloom" });
  await expect(run).rejects.toThrow(/^context-heads computes attention .* layer 0 of this bloom model has a bias/);
});
