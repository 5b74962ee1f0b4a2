/** The tables of the experiment on sinks. */
import { table } from "../../table.js";

const interval = {
  estimate: { kind: "float32", meaning: "Mean over documents" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over documents" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over documents" },
} as const;

const condition = {
  kind: "text",
  meaning:
    "trained: real text; no start: the same without its start token; moved: its start token in the middle; shuffled: its tokens in random order; random: real text, random weights; uniform: uniform attention under the causal mask",
} as const;
const layer = { kind: "int32", meaning: "Layer, from 0" } as const;
const head = { kind: "int32", meaning: "Head, from 0" } as const;
const meanOverHeads = { kind: "int32", meaning: "Head, from 0; missing: mean over heads", optional: true } as const;
const meanOverLayers = { kind: "int32", meaning: "Layer, from 0; missing: all layers", optional: true } as const;
const tokenClass = {
  kind: "text",
  meaning: "Class of the token: newline, punctuation, number, function word, word, word part",
} as const;

export const heads = table(
  "heads",
  "Attention received by the first token (where it was moved: by the start token), and later sinks, of each head",
  {
    condition,
    layer,
    head,
    ...interval,
    above: {
      kind: "float32",
      meaning: "Share of documents in which the first token receives more than the sink threshold",
    },
    later: { kind: "float32", meaning: "Later sinks per document" },
    norm_correlation: {
      kind: "float32",
      meaning: "Spearman correlation of key norm with attention received, first token left out, mean over documents",
      optional: true,
    },
    norm_correlation_all: { kind: "float32", meaning: "The same with the first token", optional: true },
  },
);

export const positions = table("positions", "Attention received per query, by the position of the key", {
  condition,
  layer: meanOverLayers,
  head: meanOverHeads,
  position_low: { kind: "int32", meaning: "First position of the bin", unit: "tokens" },
  position_high: { kind: "int32", meaning: "Last position of the bin", unit: "tokens" },
  ...interval,
});

export const classes = table("classes", "Attention received and later sinks by class of token", {
  condition,
  layer: meanOverLayers,
  head: meanOverHeads,
  class: tokenClass,
  share: { kind: "float32", meaning: "Share of this class among the tokens after the first" },
  estimate: {
    kind: "float32",
    meaning: "Attention received ÷ what tokens at the same positions receive on average, mean over documents",
  },
  low: interval.low,
  high: interval.high,
  sinks: { kind: "float32", meaning: "Later sinks of this class per document, summed over the heads" },
});

export const tokens = table("tokens", "The tokens that are most often later sinks", {
  condition,
  token: { kind: "text", meaning: "Text of the token; ⏎ stands for a newline, ␣ for a space" },
  class: tokenClass,
  sinks: { kind: "int32", meaning: "Times that it is a later sink, counted over documents, layers and heads" },
  occurrences: { kind: "int32", meaning: "Times that it occurs where it could be one" },
  rate: { kind: "float32", meaning: "Share of occurrences that are a later sink in at least one head" },
});

export const norms = table("norms", "Norms at sinks, relative to the other tokens of the same document", {
  measure: {
    kind: "text",
    meaning: "key (after position encoding), value, residual (before the layer; after the last for the last row)",
  },
  layer: { kind: "int32", meaning: "Layer, from 0; for the residual stream also the number of layers" },
  head: { kind: "int32", meaning: "Key–value head, from 0; missing for the residual stream", optional: true },
  group: {
    kind: "text",
    meaning: "first token; later sinks of the layer's heads that read this key–value head; other tokens",
  },
  norm: { kind: "float32", meaning: "Mean norm" },
  ...interval,
});

export const graph = table("graph", "Attention of short texts as a graph, heads averaged", {
  condition,
  layer,
  threshold: { kind: "float32", meaning: "Attention above which there is an edge" },
  estimate: { kind: "float32", meaning: "Star-likeness: largest in-degree ÷ (n − 1), mean over documents" },
  low: interval.low,
  high: interval.high,
  centralisation: { kind: "float32", meaning: "In-degree centralisation, mean over documents" },
  hub_first: { kind: "float32", meaning: "Share of documents in which the first token has the largest in-degree" },
});

export const frames = table("frames", "Reference tokens: mean attention over 0.1, heads averaged", {
  condition,
  layer,
  references: { kind: "float32", meaning: "Reference tokens per document" },
  any: { kind: "float32", meaning: "Share of documents that have one" },
  first_only: { kind: "float32", meaning: "Share of documents whose only reference token is the first" },
});

export const losses = table("losses", "Loss of each document under each intervention", {
  document: { kind: "text", meaning: "Id of the text" },
  source: { kind: "text", meaning: "Where the text comes from" },
  half: { kind: "text", meaning: "first: heads are chosen on it; second: they are judged on it" },
  intervention: { kind: "text", meaning: "What is done to keys, in all layers; later sinks per document and head" },
  loss: { kind: "float32", meaning: "Mean loss over the text from its second token on", unit: "nats per token" },
  change: { kind: "float32", meaning: "Loss minus loss without intervention", unit: "nats per token" },
});

export const changes = table("changes", "Change of loss by the position of the predicted token", {
  intervention: { kind: "text", meaning: "As in losses" },
  position_low: {
    kind: "int32",
    meaning: "First position of the bin; missing: the whole text",
    unit: "tokens",
    optional: true,
  },
  position_high: {
    kind: "int32",
    meaning: "Last position of the bin; missing: the whole text",
    unit: "tokens",
    optional: true,
  },
  estimate: {
    kind: "float32",
    meaning: "Loss minus loss without intervention, mean over documents",
    unit: "nats per token",
  },
  low: interval.low,
  high: interval.high,
});

export const chosen = table(
  "chosen",
  "Heads in which damping later sinks was tried, on the first half of the documents",
  {
    layer,
    head,
    damped: { kind: "float32", meaning: "Later sinks damped per document" },
    effect: { kind: "float32", meaning: "Estimated change of loss by damping in this head", unit: "nats per token" },
    chosen: { kind: "flag", meaning: "Whether it lowers the loss, and the head is used on the second half" },
  },
);
