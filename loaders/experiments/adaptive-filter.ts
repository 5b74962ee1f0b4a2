/**
 * Is attention a filter? Method:
 * a hidden state turns and decays, disturbed at every step, and is seen through noise. At every step it is estimated
 * from all that was seen so far: by a Kalman filter, which is the best there is; by attention whose weights are the
 * precision of each propagated observation, damped by its residual; by these precisions alone; and by softmax attention
 * on the raw observations. Paths with their own noise are the independent units.
 *
 * Departures: one complex channel, which is a plane that turns; true dynamics are given and not learned; the form of the
 * damping is recalled.
 */
import { bootstrap, mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { softmax } from "../../engine/theory/matrix.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  steps: 100,
  /** Per step: decay, and angles of the turn in radians. */
  decay: 0.02,
  turns: [0, 0.1, 0.3, 1],
  /** Deviation of the disturbance per step, and of the noise of what is seen. */
  disturbance: 0.1,
  noise: 0.7,
  /** How soon residuals damp a weight: degrees of freedom. */
  freedom: 4,
  paths: 40,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const filters = ["Kalman", "adaptive", "precision", "softmax"] as const;
export type Filter = (typeof filters)[number];

const errors = table("errors", "Squared error of each estimate of the hidden state", {
  filter: { kind: "text", meaning: "How the state is estimated" },
  turn: { kind: "float64", meaning: "Angle per step", unit: "rad" },
  estimate: { kind: "float64", meaning: "Mean squared error over steps and paths" },
  low: { kind: "float64", meaning: "Lower end of the 95 % interval over paths" },
  high: { kind: "float64", meaning: "Upper end of the 95 % interval over paths" },
});

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  /** Mean squared error by path, mean over turns. */
  readonly errors: Readonly<Record<Filter, readonly number[]>>;
}

const paper = "adaptive-filter-attention";

/** How much worse one is than another, relative to the other. */
function worse({ errors: of, seed, resamples }: Evidence, one: Filter, other: Filter) {
  const ratios = of[one].map((error, path) => error / of[other][path] - 1);
  const interval = bootstrap(ratios, mean, { seed, resamples });
  return { ...interval, outcome: expectPositive(interval, 0.05) };
}

const measure = (one: string, other: string) => `squared error of ${one} ÷ that of ${other} − 1, mean over paths`;

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "dynamics-beat-softmax",
    paper,
    statement:
      "Attention that knows the dynamics estimates the state better than softmax attention on raw observations.",
    measure: measure("softmax attention", "adaptive attention"),
    rule: positiveRule("5 %"),
    judge: (evidence) => worse(evidence, "softmax", "adaptive"),
  },
  {
    id: "residuals-help",
    paper,
    statement: "Damping by residuals is better than the precisions alone.",
    measure: measure("precisions alone", "adaptive attention"),
    rule: positiveRule("5 %"),
    judge: (evidence) => worse(evidence, "precision", "adaptive"),
  },
  {
    id: "kalman-is-the-bound",
    paper,
    statement: "A Kalman filter, which carries its estimate along, stays better than attention.",
    measure: measure("adaptive attention", "the Kalman filter"),
    rule: positiveRule("5 %"),
    judge: (evidence) => worse(evidence, "adaptive", "Kalman"),
  },
];

export const adaptiveFilter: Experiment<Parameters, Evidence> = {
  id: "adaptive-filter",
  title: "Attention as a filter",
  question: "Is attention with known dynamics a good estimate of a hidden state?",
  papers: [paper],
  scope: "exact part",
  subject: "records",
  parameters,
  inputs: {},
  tables: [errors],
  claims,
  async *run({ parameters: given, progress, signal }) {
    const { turns, paths, seed, resamples } = given;
    const sums: Record<Filter, number[]> = { Kalman: [], adaptive: [], precision: [], softmax: [] };
    for (const filter of filters) sums[filter] = new Array<number>(paths).fill(0);
    for (const [done, turn] of turns.entries()) {
      progress(done, turns.length, `turn of ${turn}`);
      const found: Record<Filter, number[]> = { Kalman: [], adaptive: [], precision: [], softmax: [] };
      for (let path = 0; path < paths; ++path) {
        signal.throwIfAborted();
        const walk = simulate({ ...given, turn }, new Random(seed * 1000 + path));
        for (const filter of filters) {
          const error = squaredError(estimate(filter, walk.seen, { ...given, turn }), walk.states);
          found[filter].push(error);
          sums[filter][path] += error / turns.length;
        }
      }
      yield batch(
        errors,
        filters.map((filter) => {
          const { estimate: error, low, high } = bootstrap(found[filter], mean, { seed, resamples });
          return { filter, turn, estimate: error, low, high };
        }),
      );
    }
    return { seed, resamples, errors: sums };
  },
};

/** Complex numbers, real parts first: [steps] each. */
export interface Path {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

export interface Dynamics extends Pick<Parameters, "steps" | "decay" | "disturbance" | "noise" | "freedom"> {
  readonly turn: number;
}

/** A state that starts from its stationary spread, and what is seen of it. */
export function simulate({ steps, decay, turn, disturbance, noise }: Dynamics, random: Random) {
  const path = (): Path => ({ re: new Float64Array(steps), im: new Float64Array(steps) });
  const [states, seen] = [path(), path()];
  const spread = decay > 0 ? disturbance / Math.sqrt(1 - Math.exp(-2 * decay)) : 1;
  let [re, im] = [spread * random.normal(), spread * random.normal()];
  for (let t = 0; t < steps; ++t) {
    if (t > 0) {
      [re, im] = turned(re, im, 1, decay, turn);
      re += disturbance * random.normal();
      im += disturbance * random.normal();
    }
    [states.re[t], states.im[t]] = [re, im];
    [seen.re[t], seen.im[t]] = [re + noise * random.normal(), im + noise * random.normal()];
  }
  return { states, seen };
}

/** A state some steps later, without disturbance. */
function turned(re: number, im: number, steps: number, decay: number, turn: number): [number, number] {
  const size = Math.exp(-decay * steps);
  const [cos, sin] = [size * Math.cos(turn * steps), size * Math.sin(turn * steps)];
  return [re * cos - im * sin, re * sin + im * cos];
}

/** Variance, per component, of a propagated observation about the present state: noise that decays, and disturbance. */
function variance(steps: number, { decay, disturbance, noise }: Dynamics): number {
  const shrunk = Math.exp(-2 * decay * steps);
  const gathered = decay > 0 ? (1 - shrunk) / (1 - Math.exp(-2 * decay)) : steps;
  return shrunk * noise ** 2 + gathered * disturbance ** 2;
}

export function estimate(filter: Filter, seen: Path, dynamics: Dynamics): Path {
  return filter === "Kalman" ? kalman(seen, dynamics) : attended(filter, seen, dynamics);
}

function attended(filter: Exclude<Filter, "Kalman">, seen: Path, dynamics: Dynamics): Path {
  const { steps, decay, turn, freedom, noise } = dynamics;
  const answer: Path = { re: new Float64Array(steps), im: new Float64Array(steps) };
  for (let i = 0; i < steps; ++i) {
    const weights = new Float64Array(i + 1);
    const [re, im] = [new Float64Array(i + 1), new Float64Array(i + 1)];
    for (let j = 0; j <= i; ++j) {
      if (filter === "softmax") {
        [re[j], im[j]] = [seen.re[j], seen.im[j]];
        weights[j] = (seen.re[i] * seen.re[j] + seen.im[i] * seen.im[j]) / Math.SQRT2;
        continue;
      }
      [re[j], im[j]] = turned(seen.re[j], seen.im[j], i - j, decay, turn);
      const precision = 1 / variance(i - j, dynamics);
      const residual = (seen.re[i] - re[j]) ** 2 + (seen.im[i] - im[j]) ** 2;
      // The residual is of two noisy observations, unless it is of one with itself.
      const expected = 1 / precision + (i === j ? 0 : noise ** 2);
      weights[j] = precision / (filter === "adaptive" ? 1 + residual / expected / freedom : 1);
    }
    if (filter === "softmax") softmax(weights);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let j = 0; j <= i; ++j) {
      answer.re[i] += (weights[j] / sum) * re[j];
      answer.im[i] += (weights[j] / sum) * im[j];
    }
  }
  return answer;
}

function kalman(seen: Path, { steps, decay, turn, disturbance, noise }: Dynamics): Path {
  const answer: Path = { re: new Float64Array(steps), im: new Float64Array(steps) };
  let [re, im] = [0, 0];
  let uncertainty = decay > 0 ? disturbance ** 2 / (1 - Math.exp(-2 * decay)) : 1;
  for (let t = 0; t < steps; ++t) {
    if (t > 0) {
      [re, im] = turned(re, im, 1, decay, turn);
      uncertainty = Math.exp(-2 * decay) * uncertainty + disturbance ** 2;
    }
    const gain = uncertainty / (uncertainty + noise ** 2);
    re += gain * (seen.re[t] - re);
    im += gain * (seen.im[t] - im);
    uncertainty *= 1 - gain;
    [answer.re[t], answer.im[t]] = [re, im];
  }
  return answer;
}

export function squaredError(estimated: Path, states: Path): number {
  return mean(estimated.re.map((re, t) => (re - states.re[t]) ** 2 + (estimated.im[t] - states.im[t]) ** 2));
}
