import { describe, expect, test } from "vitest";
import { relativeResidual, relativeResiduals } from "../../../engine/theory/rank-collapse.js";
import { type Evidence, growth, rankCollapse } from "../../../loaders/experiments/rank-collapse.js";
import { expectDeclaredRows, judged, runPure } from "./pure.js";

const small = { layers: 8, tokens: 16, width: 16, heads: 2, stacks: 4, resamples: 200 };

/** ρ after each layer, the same in four stacks but for a little. */
const paths = (rho: readonly number[]) => [1, 1.01, 0.99, 1.02].map((factor) => rho.map((value) => value * factor));
const doubly = [1, 0.5, 0.05, 0.05 ** 3, 1e-12, 1e-16];
const singly = [1, 0.3, 0.09, 0.027, 0.0081, 0.0024];
const flat = [1, 0.9, 0.8, 0.7, 0.6, 0.5];

const evidence = (attention: readonly number[], others: readonly number[]): Evidence => ({
  seed: 1,
  resamples: 200,
  paths: {
    attention: paths(attention),
    "attention and MLP": paths(others),
    "attention and MLP with its own skip": paths(others),
    "attention with skip": paths(others),
    "whole block": paths(others),
  },
});

describe("claims on rank collapse", () => {
  test("find a planted collapse, and parts that prevent it", () => {
    const found = judged(rankCollapse, evidence(doubly, flat));
    expect(found["attention-alone-collapses"].outcome).toBe("replicated");
    expect(found["doubly-exponential"]).toMatchObject({ outcome: "replicated", estimate: expect.closeTo(3, 0) });
    expect(found["skips-keep-tokens-apart"].outcome).toBe("replicated");
    expect(found["mlps-keep-tokens-apart"].outcome).toBe("replicated");
  });

  test("find none where attention keeps its tokens apart, nor protection where all parts collapse", () => {
    const found = judged(rankCollapse, evidence(flat, doubly));
    expect(found["attention-alone-collapses"].outcome).toBe("not replicated");
    expect(found["doubly-exponential"].outcome).toBe("not replicated");
    expect(found["skips-keep-tokens-apart"].outcome).toBe("not replicated");
    expect(found["mlps-keep-tokens-apart"].outcome).toBe("not replicated");
  });

  test("do not take an exponential fall for a doubly exponential one", () => {
    expect(growth(singly)).toBeLessThan(1.5);
    expect(judged(rankCollapse, evidence(singly, flat))["doubly-exponential"].outcome).toBe("not replicated");
  });
});

test("random stacks collapse without skips and not with them", async () => {
  const { batches, evidence: found } = await runPure(rankCollapse, small);
  expectDeclaredRows(rankCollapse, batches);
  const outcomes = judged(rankCollapse, found);
  expect(outcomes["attention-alone-collapses"].outcome).toBe("replicated");
  expect(outcomes["skips-keep-tokens-apart"].outcome).toBe("replicated");
});

test("the residual is 0 for equal tokens and 1 for tokens that cancel", () => {
  expect(relativeResidual(Float64Array.of(1, 2, 1, 2, 1, 2), 2)).toBeLessThan(1e-15);
  expect(relativeResidual(Float64Array.of(1, 2, -1, -2), 2)).toBe(1);
});

test("a stack is the same for the same seed", () => {
  const options = { ...small, skip: false, mlp: "plain", norm: true, sharpness: 1 } as const;
  expect(relativeResiduals(options, 3)).toEqual(relativeResiduals(options, 3));
  expect(relativeResiduals(options, 3)).not.toEqual(relativeResiduals(options, 4));
});
