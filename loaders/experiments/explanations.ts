/**
 * Do attention weights explain a prediction as well as gradients do? Method:
 * a classifier of one attention layer reads random tokens through its class token; its weights are random. For every
 * token there are three explanations: its attention, mean over heads; gradient × input, in closed form; and the limit of
 * LIME, Σ_h a_h · (w · W_h x) minus its mean. They are compared with what deleting the token really changes. Classifiers
 * with their inputs are the independent units.
 *
 * Departures: weights are random and not trained on sentiment; the limit of LIME is recalled in form. The gradient is
 * held against finite differences by a test.
 */
import { bootstrap, type Interval, mean, spearman } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { dot, multiply, normals, softmax } from "../../engine/theory/matrix.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = {
  tokens: 24,
  width: 32,
  heads: 4,
  classifiers: 60,
  /** Deviation of scores before the softmax. */
  sharpness: 1.5,
  resamples: 2000,
  seed: 1,
};
type Parameters = typeof parameters;

export const methods = ["attention", "gradient × input", "LIME"] as const;
export type Method = (typeof methods)[number];

const agreement = table("agreement", "Each explanation against the effect of deleting the token", {
  classifier: { kind: "int32", meaning: "Classifier and its input, from 0" },
  method: { kind: "text", meaning: "How tokens are explained" },
  correlation: { kind: "float64", meaning: "Spearman correlation over tokens with the effect of deletion" },
  size_correlation: { kind: "float64", meaning: "The same with the absolute values of both" },
  signs: { kind: "float64", meaning: "Share of tokens whose sign is that of the effect of deletion" },
});

interface Agreement {
  readonly correlation: number;
  readonly size: number;
  readonly signs: number;
}

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  /** By method and classifier. */
  readonly agreement: Readonly<Record<Method, readonly Agreement[]>>;
}

function difference({ agreement: of, seed, resamples }: Evidence, method: Method, field: keyof Agreement): Interval {
  const gains = of[method].map((it, i) => it[field] - of.attention[i][field]);
  return bootstrap(gains, mean, { seed, resamples });
}

const paper = "attention-vs-posthoc-math";

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "lime-agrees-better",
    paper,
    statement: "Deleting a token changes the prediction more as LIME says than as attention says.",
    measure: "Spearman correlation with the effect of deletion: LIME minus attention, mean over classifiers",
    rule: positiveRule("0.05"),
    judge: (evidence) => {
      const interval = difference(evidence, "LIME", "correlation");
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
  {
    id: "gradient-agrees-better",
    paper,
    statement: "And more as gradient × input says than as attention says.",
    measure:
      "Spearman correlation with the effect of deletion: gradient × input minus attention, mean over classifiers",
    rule: positiveRule("0.05"),
    judge: (evidence) => {
      const interval = difference(evidence, "gradient × input", "correlation");
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
  {
    id: "attention-is-blind-to-sign",
    paper,
    statement: "Attention cannot tell tokens that speak for the class from those that speak against it.",
    measure: "share of tokens whose sign is right: LIME minus attention, mean over classifiers",
    rule: positiveRule("0.1"),
    judge: (evidence) => {
      const interval = difference(evidence, "LIME", "signs");
      return { ...interval, outcome: expectPositive(interval, 0.1) };
    },
  },
  {
    id: "attention-misses-size-too",
    paper,
    statement: "Even without signs, attention says less about how much a token matters.",
    measure:
      "Spearman correlation of absolute values with the effect of deletion: LIME minus attention, mean over classifiers",
    rule: positiveRule("0.05"),
    judge: (evidence) => {
      const interval = difference(evidence, "LIME", "size");
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
];

export const explanations: Experiment<Parameters, Evidence> = {
  id: "explanations",
  title: "Attention as explanation",
  question: "Do attention weights say which tokens a prediction depends on?",
  papers: [paper],
  scope: "random weights",
  subject: "records",
  parameters,
  inputs: {},
  tables: [agreement],
  claims,
  async *run({ parameters: { seed, resamples, classifiers, ...shape }, progress, signal }) {
    const found: Record<Method, Agreement[]> = { attention: [], "gradient × input": [], LIME: [] };
    for (let at = 0; at < classifiers; ++at) {
      signal.throwIfAborted();
      progress(at, classifiers);
      const classifier = randomClassifier(new Random(seed * 1000 + at), shape);
      const effects = deletionEffects(classifier);
      const explained = explain(classifier);
      for (const method of methods) found[method].push(agree(explained[method], effects));
    }
    for (const method of methods) {
      yield batch(
        agreement,
        found[method].map(({ correlation, size, signs }, classifier) => ({
          classifier,
          method,
          correlation,
          size_correlation: size,
          signs,
        })),
      );
    }
    return { seed, resamples, agreement: found };
  },
};

function agree(explained: readonly number[], effects: readonly number[]): Agreement {
  return {
    correlation: spearman(explained, effects),
    size: spearman(explained.map(Math.abs), effects.map(Math.abs)),
    signs: mean(explained.map((value, i) => Number(Math.sign(value) === Math.sign(effects[i])))),
  };
}

/** f(x) = w · Σ_h Σ_t a_ht W_h x_t, with a_h the softmax of (c_h · x_t)/√width over tokens. */
export interface Classifier {
  readonly x: Float64Array; // [tokens, width]
  /** Query of the class token times the key matrix of each head. */
  readonly queries: readonly Float64Array[]; // heads × [width]
  /** What each head's values add to the output: Wᵀ_h w. */
  readonly values: readonly Float64Array[]; // heads × [width]
  readonly width: number;
}

export function randomClassifier(
  random: Random,
  { tokens, width, heads, sharpness }: Pick<Parameters, "tokens" | "width" | "heads" | "sharpness">,
): Classifier {
  const readout = normals(random, width, 1 / Math.sqrt(width));
  const vectors = (make: () => Float64Array) => Array.from({ length: heads }, make);
  return {
    x: normals(random, tokens * width),
    queries: vectors(() => normals(random, width, sharpness)),
    values: vectors(() => multiply(readout, normals(random, width * width, 1 / Math.sqrt(width)), width)),
    width,
  };
}

/** Attention over the tokens that are kept. // [tokens], 0 where deleted */
function attentionOf({ x, width }: Classifier, query: Float64Array, deleted = -1): Float64Array {
  const scores = Float64Array.from({ length: x.length / width }, (_, t) =>
    t === deleted ? Number.NEGATIVE_INFINITY : dot(query, 0, x, t * width, width) / Math.sqrt(width),
  );
  softmax(scores);
  return scores;
}

/** Contribution of each token's value to the output of a head. // [tokens] */
const spoken = ({ x, width }: Classifier, value: Float64Array) =>
  Float64Array.from({ length: x.length / width }, (_, t) => dot(value, 0, x, t * width, width));

export function output(classifier: Classifier, deleted = -1): number {
  return classifier.queries.reduce((sum, query, h) => {
    const attention = attentionOf(classifier, query, deleted);
    return sum + dot(attention, 0, spoken(classifier, classifier.values[h]), 0, attention.length);
  }, 0);
}

/** What the output loses without each token: f(x) − f(x without t). // [tokens] */
export function deletionEffects(classifier: Classifier): number[] {
  const whole = output(classifier);
  return Array.from({ length: classifier.x.length / classifier.width }, (_, t) => whole - output(classifier, t));
}

/** ∂f/∂x_t = Σ_h a_t v_h + a_t (v_h · x_t − Σ_s a_s v_h · x_s) c_h/√width. // [tokens, width] */
export function gradient(classifier: Classifier): Float64Array {
  const { x, queries, values, width } = classifier;
  const slopes = new Float64Array(x.length);
  for (const [h, query] of queries.entries()) {
    const attention = attentionOf(classifier, query);
    const says = spoken(classifier, values[h]);
    const average = dot(attention, 0, says, 0, says.length);
    for (let t = 0; t < says.length; ++t) {
      for (let c = 0; c < width; ++c) {
        const through = ((says[t] - average) * query[c]) / Math.sqrt(width);
        slopes[t * width + c] += attention[t] * (values[h][c] + through);
      }
    }
  }
  return slopes;
}

/** Each method's number for each token. // [tokens] per method */
export function explain(classifier: Classifier): Record<Method, number[]> {
  const { x, queries, values, width } = classifier;
  const tokens = x.length / width;
  const weights = queries.map((query) => attentionOf(classifier, query));
  const slopes = gradient(classifier);
  const each = (of: (t: number) => number) => Array.from({ length: tokens }, (_, t) => of(t));
  const says = values.map((value) => spoken(classifier, value));
  const contributed = each((t) => mean(weights.map((attention, h) => attention[t] * says[h][t])) * weights.length);
  const centre = mean(contributed);
  return {
    attention: each((t) => mean(weights.map((attention) => attention[t]))),
    "gradient × input": each((t) => dot(slopes, t * width, x, t * width, width)),
    LIME: contributed.map((value) => value - centre),
  };
}
