/** Tables of the comparison of key–value cache policies. */
import { table } from "../../table.js";

const policy = {
  kind: "text",
  meaning:
    "What is kept: sinks + recent; keys of low or high norm; keys by recurrence, by attention received in all or from the last query; keys drawn at random; or all keys of the retrieval heads, or of as many random heads of the same layers, with sinks and recent keys of the others",
} as const;
const selected =
  "low-rank keys: nothing is dropped, and each query selects as many keys by scores in a quarter of the dimensions, components of other texts' keys; random directions: the same by scores in random ones";
const task = { kind: "text", meaning: "needles: facts in running text; key-value: lines of pairs" } as const;
const evicted = {
  kind: "float32",
  meaning: "Share of the context's keys and values that is dropped, or that a query does not select",
} as const;
const condition = { kind: "text", meaning: "trained, or random weights: the same model untrained" } as const;
const layer = { kind: "int32", meaning: "Layer, from 0" } as const;
const head = { kind: "int32", meaning: "Head, from 0" } as const;
const low = { kind: "float32", meaning: "Lower end of the 95 % interval" } as const;
const high = { kind: "float32", meaning: "Upper end of the 95 % interval" } as const;

export const losses = table("losses", "Loss of the tokens after a context, with its cache cut", {
  condition,
  policy: { ...policy, meaning: `${policy.meaning}; ${selected}` },
  evicted,
  whole: { kind: "float32", meaning: "Loss with the whole cache, mean over texts", unit: "nats" },
  estimate: {
    kind: "float32",
    meaning: "Loss with the cache cut minus loss with all of it, mean over texts",
    unit: "nats",
  },
  low,
  high,
});

export const answers = table("answers", "Questions about a context, answered with its cache cut", {
  task,
  policy: { ...policy, meaning: `${policy.meaning}; whole cache; ${selected}` },
  evicted,
  estimate: { kind: "float32", meaning: "Share of questions answered, mean over contexts" },
  low,
  high,
  log_probability: { kind: "float32", meaning: "Log-probability of the answer, mean over contexts", unit: "nats" },
  log_probability_low: { ...low, unit: "nats" },
  log_probability_high: { ...high, unit: "nats" },
});

export const memory = table("memory", "What is kept of a text's context", {
  policy: { ...policy, meaning: `${policy.meaning}; whole cache; or low-rank keys, which choose for each query` },
  evicted,
  share: { kind: "float32", meaning: "Keys and values kept ÷ those of the whole cache" },
  bytes: { kind: "float64", meaning: "Keys and values kept, in float32", unit: "bytes" },
  read: { kind: "float32", meaning: "Numbers that one query reads ÷ those of the whole cache" },
});

export const coverage = table("coverage", "Attention of later queries on the keys that are kept", {
  condition,
  policy: {
    ...policy,
    meaning: `${policy.meaning}; low-rank keys: chosen for each query by scores in a quarter of the dimensions; most attended: the best choice for each query`,
  },
  evicted,
  estimate: {
    kind: "float32",
    meaning: "Attention on kept keys ÷ attention on the whole context, mean over heads and texts",
  },
  low,
  high,
});

export const covered = table("covered", "The same by head", {
  policy,
  evicted,
  layer,
  head,
  estimate: { kind: "float32", meaning: "Attention on kept keys ÷ attention on the whole context, mean over texts" },
});

export const held = table("held", "Answers whose key is kept, by head", {
  task,
  policy,
  evicted,
  layer,
  head,
  estimate: {
    kind: "float32",
    meaning: "Share of the questions whose answer's first token is among the kept keys, mean over contexts",
  },
});

export const heads = table("heads", "What explains the policies, by head", {
  condition,
  layer,
  head,
  retrieval: { kind: "float32", meaning: "Retrieval score: share of answers' tokens that the head copies" },
  sink: { kind: "float32", meaning: "Attention of later queries on the first token" },
  entropy: { kind: "float32", meaning: "Entropy of later queries ÷ that of uniform attention" },
  norm_correlation: {
    kind: "float32",
    meaning: "Spearman correlation of a key's norm with the attention that later queries give it, first token apart",
  },
  rank: { kind: "float32", meaning: "Components that hold 90 % of the variance of the keys ÷ head size" },
  rank_before: { kind: "float32", meaning: "The same of the keys before position encoding" },
  recurrence: {
    kind: "float32",
    meaning: "Share of keys that are attended again after a silence longer than the window",
  },
});

export const components = table("components", "Keys chosen by scores in few dimensions", {
  basis: {
    kind: "text",
    meaning:
      "after rotary, before rotary: principal components of keys of other texts, with and without position encoding; random: orthogonal directions",
  },
  dimensions: { kind: "float32", meaning: "Share of the head's dimensions" },
  kept: { kind: "float32", meaning: "Share of the context's keys that each query chooses" },
  mass: { kind: "float32", meaning: "Attention on the chosen keys ÷ attention on as many most attended ones" },
  mass_low: low,
  mass_high: high,
  agreement: { kind: "float32", meaning: "Share of the chosen keys that are among the most attended" },
  agreement_low: low,
  agreement_high: high,
});

export const masked = table("masked", "What it costs to mask heads", {
  heads: {
    kind: "text",
    meaning: "none; retrieval: those of the highest score; random: as many others of the same layers",
  },
  mask: { kind: "text", meaning: "uniform: the head attends to all keys alike; silent: its output is 0" },
  task: { kind: "text", meaning: "needles, key-value, or text" },
  measure: { kind: "text", meaning: "answered: share of questions; loss: of the tokens after a context, in nats" },
  estimate: { kind: "float32", meaning: "Mean over contexts or texts" },
  low,
  high,
});

export const recurrence = table("recurrence", "Keys that are attended again after a silence", {
  source: { kind: "text", meaning: "text, needles or key-value" },
  order: { kind: "text", meaning: "as it is, or shuffled: each key's activities at random times" },
  beyond: { kind: "int32", meaning: "Queries that the silence must exceed" },
  estimate: { kind: "float32", meaning: "Share of keys, mean over heads and contexts" },
  low,
  high,
});
