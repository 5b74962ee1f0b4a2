/** The tables of the positional-bias experiment. */
import { table } from "../../table.js";

export { cases, caseTokens } from "../../analysis/cases.js";

const interval = {
  low: { kind: "float32", meaning: "Lower end of the 95 % interval" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval" },
} as const;

const task = {
  task: { kind: "text", meaning: "needles: facts in running text; key-value: lines of pairs" },
  length: { kind: "int32", meaning: "Length of the context with one question and its answer", unit: "tokens" },
} as const;

const layer = { kind: "int32", meaning: "Layer, from 0" } as const;
const everyHead = {
  kind: "int32",
  meaning: "Head, from 0; missing: mean over the layer's heads",
  optional: true,
} as const;
const subject = { kind: "text", meaning: "trained; random weights: the same architecture, untrained" } as const;
const firstToken = {
  kind: "text",
  meaning: "left out or counted: whether the first token is one of the keys",
} as const;

export const contexts = table("contexts", "The contexts of the retrieval part", {
  ...task,
  contexts: { kind: "int32", meaning: "Contexts measured, each with its own facts", unit: "contexts" },
  facts: { kind: "float32", meaning: "Mean number of facts in a context", unit: "facts" },
  trained: { kind: "flag", meaning: "Whether the model was trained on contexts as long as this" },
  skipped: { kind: "text", meaning: "Why there is no context of this length", optional: true },
});

export const retrieval = table("retrieval", "How well facts are found, by depth and length of the context", {
  ...task,
  depth: { kind: "float32", meaning: "Place of the fact, from 0 (start of the context) to 1 (end)" },
  accuracy: { kind: "float32", meaning: "Share of questions of which every answer token was the most likely one" },
  accuracy_low: { kind: "float32", meaning: "Lower end of the 95 % Wilson interval" },
  accuracy_high: { kind: "float32", meaning: "Upper end of the 95 % Wilson interval" },
  log_probability: { kind: "float32", meaning: "Mean log-probability of the answer", unit: "nats" },
  log_probability_low: { kind: "float32", meaning: "Lower end of the 95 % interval over contexts", unit: "nats" },
  log_probability_high: { kind: "float32", meaning: "Upper end of the 95 % interval over contexts", unit: "nats" },
  questions: { kind: "int32", meaning: "Questions", unit: "questions" },
  contexts: { kind: "int32", meaning: "Contexts", unit: "contexts" },
});

export const found = table("found", "Attention of the answer position on the answer in the context", {
  ...task,
  depth: { kind: "float32", meaning: "Place of the fact, from 0 (start of the context) to 1 (end)" },
  layer,
  head: { kind: "int32", meaning: "Head, from 0" },
  attention: { kind: "float32", meaning: "Mean attention on the first token of the answer" },
});

export const lengths = table(
  "lengths",
  "Loss on the same last tokens of a text, by the length of the context; only where no fact interrupts them",
  {
    length: { kind: "int32", meaning: "Length of the context", unit: "tokens" },
    loss: { kind: "float32", meaning: "Mean loss on the last tokens of running text", unit: "nats per token" },
    ...interval,
    texts: { kind: "int32", meaning: "Texts behind the interval", unit: "texts" },
  },
);

export const positions = table("positions", "Loss and entropy of running text by position, in the longest contexts", {
  first: { kind: "int32", meaning: "First position of the bin", unit: "tokens" },
  last: { kind: "int32", meaning: "Last position of the bin", unit: "tokens" },
  layer: { kind: "int32", meaning: "Layer, from 0; missing: the loss", optional: true },
  value: { kind: "float32", meaning: "Loss in nats per token; in layers: entropy ÷ ln(visible keys), mean over heads" },
  ...interval,
  texts: { kind: "int32", meaning: "Texts behind the interval", unit: "texts" },
});

export const distances = table("distances", "Attention on running text by distance between query and key", {
  subject,
  first_token: firstToken,
  layer,
  head: everyHead,
  near: { kind: "int32", meaning: "Shortest distance of the octave", unit: "tokens" },
  far: { kind: "int32", meaning: "Longest distance of the octave", unit: "tokens" },
  attention: { kind: "float32", meaning: "Mean attention of a query on one key at that distance" },
  relative: { kind: "float32", meaning: "The same ÷ what rows that spread evenly over their keys would give there" },
  low: {
    kind: "float32",
    meaning: "Lower end of the 95 % interval of relative; missing for single heads",
    optional: true,
  },
  high: {
    kind: "float32",
    meaning: "Upper end of the 95 % interval of relative; missing for single heads",
    optional: true,
  },
});

export const slopes = table("slopes", "Recency slope: exponent of relative attention over distance", {
  subject,
  first_token: firstToken,
  layer,
  head: everyHead,
  slope: { kind: "float32", meaning: "0: no preference; −1: half the attention at twice the distance" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval; missing for single heads", optional: true },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval; missing for single heads", optional: true },
});

export const scores = table("scores", "Mean scores before the softmax, trained weights, in cells of 2 × 2 tokens", {
  layer,
  query: { kind: "int32", meaning: "First query of the cell" },
  key: { kind: "int32", meaning: "First key of the cell" },
  score: { kind: "float32", meaning: "S: scaled q·k, mean over heads and texts" },
  residual: {
    kind: "float32",
    meaning: "N: S minus the mean of its diagonal, the first token left out",
    optional: true,
  },
});

export const relativity = table("relativity", "How far mean scores depend on more than the distance", {
  subject,
  first_token: firstToken,
  layer,
  non_relativity: {
    kind: "float32",
    meaning: "Var(N)/Var(S), sampling noise taken out; missing where S cannot be told from noise",
    optional: true,
  },
  non_relativity_low: { ...interval.low, optional: true },
  non_relativity_high: { ...interval.high, optional: true },
  slope: {
    kind: "float32",
    meaning: "Slope of the score over the key's index, within queries",
    unit: "score per token",
  },
  slope_low: { ...interval.low },
  slope_high: { ...interval.high },
  correlation: { kind: "float32", meaning: "Mean over queries of the rank correlation of key index and mean score" },
  spread: { kind: "float32", meaning: "Standard deviation of the mean score over pairs of query and earlier key" },
  drift: { kind: "float32", meaning: "S of late queries minus early ones at the same distances" },
  drift_low: { ...interval.low },
  drift_high: { ...interval.high },
});

export const mask = table("mask", "The mask alone: attention layers without weights on random inputs", {
  mask: { kind: "text", meaning: "causal, or full: every token sees every other" },
  rope: { kind: "flag", meaning: "Whether queries and keys are rotated by their positions" },
  alpha: { kind: "float32", meaning: "Expected cosine between two inputs" },
  layer,
  slope: {
    kind: "float32",
    meaning: "Slope of the score over the key's index, within queries",
    unit: "score per token",
  },
  slope_low: { ...interval.low },
  slope_high: { ...interval.high },
  correlation: { kind: "float32", meaning: "Mean over queries of the rank correlation of key index and mean score" },
  rising: { kind: "float32", meaning: "Share of the steps to the next key on which the mean score rises" },
  non_relativity: {
    kind: "float32",
    meaning: "Var(N)/Var(S), sampling noise taken out; missing where S cannot be told from noise",
    optional: true,
  },
  non_relativity_low: { ...interval.low, optional: true },
  non_relativity_high: { ...interval.high, optional: true },
  spread: { kind: "float32", meaning: "Standard deviation of the mean score over pairs of query and earlier key" },
});
