/**
 * Does attention, composed over layers, say which tokens a prediction depends on? Method:
 * the model predicts the token after a text. Every earlier token is scored by the attention of the last position: as it
 * is in each layer, mean over heads (raw), and composed over layers, half of each being the residual stream (rollout,
 * A = ½ W + ½ 1, R_l = A_l R_{l−1}). What a token really matters is how much the log-probability of the true next token
 * changes when the token is hidden from all later queries, in all layers. Rollout of uniform attention under the same
 * causal mask is the control: it knows the mask and no weight. The first token, a sink, is left out of all correlations.
 * Texts are the independent units.
 *
 * Departures: a decoder with a causal mask on running text, where the paper trains an encoder on the number of verbs;
 * tokens are hidden and not replaced; attention flow and gradients are left out.
 */
import { bootstrap, type Interval, mean, spearman } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import { multiply } from "../../engine/theory/matrix.js";
import { expectPositive, positiveRule } from "../analysis/expectation.js";
import { documentsOf } from "../analysis/texts.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = { documents: 24, tokens: 40, resamples: 2000, seed: 1 };
type Parameters = typeof parameters;

export const methods = ["raw", "rollout", "rollout of uniform attention"] as const;
export type Method = (typeof methods)[number];

const correlations = table("correlations", "Scores of earlier tokens against what hiding them changes", {
  method: { kind: "text", meaning: "How tokens are scored" },
  layer: { kind: "int32", meaning: "Layer up to which attention is composed, or that is looked at, from 0" },
  estimate: {
    kind: "float32",
    meaning: "Spearman correlation over tokens, mean over texts; missing where all scores are equal",
    optional: true,
  },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over texts", optional: true },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over texts", optional: true },
});

export interface Evidence extends Pick<Parameters, "seed" | "resamples"> {
  /** Correlations by method. // texts × [layers] */
  readonly correlations: Readonly<Record<Method, readonly (readonly number[])[]>>;
}

/** Mean over the upper half of the layers. */
const upper = (layers: readonly number[]) => mean(layers.slice(Math.ceil(layers.length / 2)));
const lower = (layers: readonly number[]) => mean(layers.slice(0, Math.ceil(layers.length / 2)));

function over(values: readonly number[], { seed, resamples }: Evidence): Interval {
  return bootstrap(values, mean, { seed, resamples });
}

const paper = "attention-rollout-flow";

export const claims: readonly Claim<Evidence>[] = [
  {
    id: "rollout-beats-raw-above",
    paper,
    statement: "In the upper layers, rollout agrees better than raw attention with what tokens matter.",
    measure:
      "Spearman correlation with the effect of hiding, rollout minus raw, upper half of the layers, mean over texts",
    rule: positiveRule("0.05"),
    judge: (evidence) => {
      const { raw, rollout } = evidence.correlations;
      const interval = over(
        rollout.map((layers, text) => upper(layers) - upper(raw[text])),
        evidence,
      );
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
  {
    id: "raw-fails-above",
    paper,
    statement: "Raw attention agrees less in the upper layers than in the lower.",
    measure: "Spearman correlation of raw attention, lower half of the layers minus upper half, mean over texts",
    rule: positiveRule("0.05"),
    judge: (evidence) => {
      const interval = over(
        evidence.correlations.raw.map((layers) => lower(layers) - upper(layers)),
        evidence,
      );
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
  {
    id: "rollout-beats-the-mask",
    paper,
    statement: "Rollout says more than the causal mask alone.",
    measure:
      "Spearman correlation of rollout minus that of uniform attention composed alike, upper half of the layers, mean over texts",
    rule: `${positiveRule("0.05")} The control is ours.`,
    judge: (evidence) => {
      const { rollout, "rollout of uniform attention": uniform } = evidence.correlations;
      const interval = over(
        rollout.map((layers, text) => upper(layers) - upper(uniform[text])),
        evidence,
      );
      return { ...interval, outcome: expectPositive(interval, 0.05) };
    },
  },
];

export const attentionRollout: Experiment<Parameters, Evidence> = {
  id: "attention-rollout",
  title: "Attention rollout",
  question: "Does attention composed over layers say which tokens a prediction depends on?",
  papers: [paper],
  subject: "model",
  parameters,
  inputs: { texts: "prompts/texts.jsonl" },
  tables: [correlations],
  claims,
  async *run({ parameters: given, inputs, progress, signal, ...context }) {
    const { documents, tokens, seed, resamples } = given;
    const model = await context.model();
    // One token more than is read: the one to be predicted.
    const cut = { documents, tokens: tokens + 1 };
    const texts = documentsOf(inputs.texts, await context.tokenizer(), model, cut);
    const found: Record<Method, number[][]> = { raw: [], rollout: [], "rollout of uniform attention": [] };
    for (const [done, { id, ids }] of texts.entries()) {
      signal.throwIfAborted();
      progress(done, texts.length, id);
      const effects = await hidingEffects(model, ids);
      const scored = scores(await attentionOf(model, ids.slice(0, -1)), tokens);
      for (const method of methods) found[method].push(scored[method].map((row) => spearman(row, effects)));
    }
    for (const method of methods) {
      yield batch(
        correlations,
        found[method][0].map((_, layer) => {
          const { estimate, low, high } = bootstrap(
            found[method].map((layers) => layers[layer]),
            mean,
            { seed, resamples },
          );
          return { method, layer, estimate, low, high };
        }),
      );
    }
    return { seed, resamples, correlations: found };
  },
};

/** Absolute change of the last token's log-probability with each token hidden, from the second to the last but two. */
async function hidingEffects(model: Model, ids: Int32Array): Promise<number[]> {
  const last = ids.length - 2; // the position that predicts
  const known = async (hidden?: number) => {
    const data = new Float32Array(ids.length).fill(0); // [tokens]
    if (hidden !== undefined) data[hidden] = -1e9;
    const prompt = { ids, keyBias: { data, dims: [1, 1, ids.length] } };
    const { logProbability } = await model.forward(prompt, { logits: "loss" });
    if (!logProbability) throw new Error("the model reported no log-probabilities");
    return logProbability[last];
  };
  const whole = await known();
  const effects: number[] = [];
  for (let token = 1; token < last; ++token) effects.push(Math.abs((await known(token)) - whole));
  return effects;
}

/** Attention of each layer, mean over heads. // layers × [queries, keys] */
async function attentionOf(model: Model, ids: Int32Array): Promise<Float64Array[]> {
  const { attention } = await model.forward({ ids }, { attention: true });
  if (!attention) throw new Error("the model reported no attention");
  const [layers, heads, queries, keys] = attention.dims;
  return Array.from({ length: layers }, (_, layer) => {
    const sum = new Float64Array(queries * keys);
    for (let head = 0; head < heads; ++head) {
      const at = (layer * heads + head) * sum.length;
      for (let i = 0; i < sum.length; ++i) sum[i] += attention.data[at + i] / heads;
    }
    return sum;
  });
}

/** By layer, the last position's scores of the tokens from the second to the last but one. // layers × [tokens − 2] */
export function scores(attention: readonly Float64Array[], tokens: number): Record<Method, number[][]> {
  const last = (matrix: Float64Array) => Array.from(matrix.slice((tokens - 1) * tokens + 1, tokens * tokens - 1));
  const uniform = Float64Array.from({ length: tokens * tokens }, (_, i) => {
    const query = Math.floor(i / tokens);
    return i % tokens <= query ? 1 / (query + 1) : 0;
  });
  return {
    raw: attention.map(last),
    rollout: rollout(attention, tokens).map(last),
    "rollout of uniform attention": rollout(
      attention.map(() => uniform),
      tokens,
    ).map(last),
  };
}

/** R_l = (½ W_l + ½ 1) R_{l−1}, R before the first layer being 1. // layers × [queries, tokens] */
export function rollout(attention: readonly Float64Array[], tokens: number): Float64Array[] {
  let composed: Float64Array = Float64Array.from({ length: tokens * tokens }, (_, i) => Number(i % (tokens + 1) === 0));
  return attention.map((weights) => {
    const mixed = weights.map((weight, i) => 0.5 * weight + (i % (tokens + 1) === 0 ? 0.5 : 0));
    composed = multiply(mixed, composed, tokens);
    return composed;
  });
}
