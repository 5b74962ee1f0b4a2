/**
 * Does attention alone lose rank? Method:
 * stacks of attention layers with random weights read random tokens, with and without a skip connection around
 * attention, an MLP, and a skip connection around the MLP. After each layer the relative residual ρ says how far the
 * tokens are from being one and the same. Weights and inputs of one seed are one independent unit.
 *
 * Departures: weights are random throughout, where the paper also takes trained models and removes parts of them; the
 * published plots keep the MLP's own skip connection in the arm without one around attention, so both are here.
 */
import { bootstrap, type Interval, mean } from "../../engine/interval.js";
import { relativeResiduals, type StackOptions } from "../../engine/theory/rank-collapse.js";
import { knownBefore } from "../analysis/exact.js";
import type { Claim, Experiment, Outcome } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = { layers: 12, tokens: 32, width: 64, heads: 4, stacks: 16, resamples: 2000, seed: 1 };
type Parameters = typeof parameters;

export const arms = {
  attention: { skip: false, mlp: "none" },
  "attention and MLP": { skip: false, mlp: "plain" },
  "attention and MLP with its own skip": { skip: false, mlp: "skip" },
  "attention with skip": { skip: true, mlp: "none" },
  "whole block": { skip: true, mlp: "skip" },
} as const satisfies Readonly<Record<string, Pick<StackOptions, "skip" | "mlp">>>;
export type Arm = keyof typeof arms;

const residuals = table("residuals", "How far the tokens are from one vector, after each layer of random stacks", {
  arm: { kind: "text", meaning: "What a layer is made of" },
  norm: { kind: "flag", meaning: "Whether layer norms follow its parts" },
  layer: { kind: "int32", meaning: "Layers passed; 0: the input" },
  estimate: { kind: "float64", meaning: "Relative residual ρ, geometric mean over stacks" },
  low: { kind: "float64", meaning: "Lower end of the 95 % interval over stacks" },
  high: { kind: "float64", meaning: "Upper end of the 95 % interval over stacks" },
});

/** ρ by stack and layer, for the arms with layer norms. // stacks × [layers + 1] */
export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  readonly paths: Readonly<Record<Arm, readonly (readonly number[])[]>>;
}

/** Below this, ρ is rounding. */
const FLOOR = 1e-13;

/** −ln ρ of a layer ÷ −ln ρ of the one before, mean over layers from ρ < 0.1 down to rounding. */
export function growth(path: readonly number[]): number {
  const ratios = path.flatMap((rho, layer) => {
    const before = path[layer - 1];
    return before < 0.1 && before > FLOOR && rho > FLOOR ? [Math.log(rho) / Math.log(before)] : [];
  });
  return mean(ratios);
}

function over({ paths, seed, resamples }: Evidence, arm: Arm, of: (path: readonly number[]) => number): Interval {
  return bootstrap(paths[arm].map(of), mean, { seed, resamples });
}

const last = (path: readonly number[]) => Math.log10(Math.max(FLOOR, path[path.length - 1]));

/** Whether tokens stay apart: ρ after the last layer. */
const apart = ({ low, high }: Interval): Outcome => (low > -2 ? "replicated" : high < -3 ? "not replicated" : "mixed");

const apartRule =
  "Replicated where the whole 95 % interval over stacks is above 0.01, not replicated where all of it is below 0.001, mixed otherwise.";

const claim = { paper: "rank-collapse-pure-attention", revised: knownBefore } as const;

export const claims: readonly Claim<Evidence>[] = [
  {
    ...claim,
    id: "attention-alone-collapses",
    statement: "Attention alone makes all tokens the same within a few layers.",
    measure: "log₁₀ of the relative residual after the last layer, mean over stacks",
    rule: "Replicated where the whole 95 % interval over stacks is below −6, not replicated where all of it is above −2, mixed otherwise.",
    judge: (evidence) => {
      const interval = over(evidence, "attention", last);
      const outcome = interval.high < -6 ? "replicated" : interval.low > -2 ? "not replicated" : "mixed";
      return { ...interval, outcome };
    },
  },
  {
    ...claim,
    id: "doubly-exponential",
    statement:
      "The collapse is doubly exponential: each layer multiplies the logarithm of the residual, threefold in theory.",
    measure: "−ln ρ of a layer ÷ −ln ρ of the layer before, from ρ < 0.1 on, mean over stacks",
    rule: "Replicated where the whole 95 % interval over stacks is above 2, not replicated where all of it is below 1.5 (an exponential fall has ratios that go to 1), mixed otherwise.",
    judge: (evidence) => {
      const interval = over(evidence, "attention", growth);
      if (Number.isNaN(interval.estimate)) return { ...interval, outcome: "not replicated" };
      const outcome = interval.low > 2 ? "replicated" : interval.high < 1.5 ? "not replicated" : "mixed";
      return { ...interval, outcome };
    },
  },
  {
    ...claim,
    id: "skips-keep-tokens-apart",
    statement: "A skip connection around attention keeps the tokens apart.",
    measure: "log₁₀ of the relative residual after the last layer, mean over stacks",
    rule: apartRule,
    judge: (evidence) => {
      const interval = over(evidence, "attention with skip", last);
      return { ...interval, outcome: apart(interval) };
    },
  },
  {
    ...claim,
    id: "mlps-keep-tokens-apart",
    statement: "MLPs keep the tokens apart where attention has no skip connection.",
    measure: "log₁₀ of the relative residual after the last layer, mean over stacks, MLP with its own skip",
    rule: `${apartRule} The weights of the MLPs are random: trained ones may do what these do not.`,
    judge: (evidence) => {
      const interval = over(evidence, "attention and MLP with its own skip", last);
      return { ...interval, outcome: apart(interval) };
    },
  },
];

export const rankCollapse: Experiment<Parameters, Evidence> = {
  id: "rank-collapse",
  title: "Rank collapse",
  question: "Does attention alone make all tokens the same, and what stops it?",
  papers: ["rank-collapse-pure-attention"],
  scope: "random weights",
  subject: "records",
  parameters,
  inputs: {},
  tables: [residuals],
  claims,
  async *run({ parameters: given, progress, signal }) {
    const { seed, stacks, resamples, ...shape } = given;
    const paths: Partial<Record<Arm, number[][]>> = {};
    const settings = Object.keys(arms).flatMap((arm) => [true, false].map((norm) => ({ arm: arm as Arm, norm })));
    for (const [done, { arm, norm }] of settings.entries()) {
      progress(done, settings.length, arm);
      const options = { ...shape, ...arms[arm], norm, sharpness: 1 };
      const found: number[][] = []; // stacks × [layers + 1]
      for (let stack = 0; stack < stacks; ++stack) {
        signal.throwIfAborted();
        found.push(relativeResiduals(options, seed * 1000 + stack));
      }
      if (norm) paths[arm] = found;
      yield batch(
        residuals,
        found[0].map((_, layer) => {
          const logs = found.map((path) => Math.log(Math.max(1e-17, path[layer])));
          const { estimate, low, high } = bootstrap(logs, mean, { seed, resamples: 500 });
          return { arm, norm, layer, estimate: Math.exp(estimate), low: Math.exp(low), high: Math.exp(high) };
        }),
      );
    }
    return { seed, resamples, paths: paths as Evidence["paths"] };
  },
};
