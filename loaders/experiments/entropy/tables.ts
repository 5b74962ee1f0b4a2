/** The tables of the experiment on entropy. */
import { table } from "../../table.js";

const interval = {
  estimate: { kind: "float32", meaning: "Mean over documents" },
  low: { kind: "float32", meaning: "Lower end of the 95 % interval over documents" },
  high: { kind: "float32", meaning: "Upper end of the 95 % interval over documents" },
} as const;
const condition = {
  kind: "text",
  meaning: "trained: real text; shuffled: the same tokens in random order; random: real text, random weights",
} as const;
const arm = {
  kind: "text",
  meaning:
    "plain: pieces share one range of positions; shared prefix: and see the prefix; best pieces: what follows sees only these; both fixes; controls: own positions (plain, each piece stays where it is in the text), cooled (plain, entropy brought to its unsplit level by temperature), heated (unsplit, entropy raised to that of the most pieces)",
} as const;
const pieces = { kind: "int32", meaning: "Pieces that the context is split into", unit: "pieces" } as const;

export const profiles = table("profiles", "Width of attention rows by layer, head and number of visible keys", {
  condition,
  layer: { kind: "int32", meaning: "Layer, from 0" },
  head: { kind: "int32", meaning: "Head, from 0; missing: mean over the layer's heads", optional: true },
  keys_low: { kind: "int32", meaning: "Fewest keys that the queries of this bin can see", unit: "keys" },
  keys_high: { kind: "int32", meaning: "Most keys that the queries of this bin can see", unit: "keys" },
  metric: {
    kind: "text",
    meaning:
      "entropy (nats); normalised: entropy ÷ ln(visible keys); support: exp(entropy) (keys); maximum: largest weight; first: weight of the first token; rest: entropy of the other keys' weights, renormalised (nats)",
  },
  ...interval,
});

export const texts = table("texts", "Width of attention rows and loss of each document", {
  document: { kind: "text", meaning: "Id of the text" },
  source: { kind: "text", meaning: "Where the text comes from" },
  condition,
  layer: { kind: "int32", meaning: "Layer, from 0" },
  entropy: { kind: "float32", meaning: "Mean over heads and queries that see at least 32 keys", unit: "nats" },
  normalised: { kind: "float32", meaning: "The same of entropy ÷ ln(visible keys)" },
  loss: { kind: "float32", meaning: "Mean over the text, the same in every layer's row", unit: "nats per token" },
});

export const split = table("split", "Parallel encoding of running text: one row per document, arm and pieces", {
  document: { kind: "text", meaning: "Id of the text" },
  arm,
  pieces,
  entropy: { kind: "float32", meaning: "Mean over layers, heads and scored queries", unit: "nats" },
  loss: { kind: "float32", meaning: "Mean over the scored tokens", unit: "nats per token" },
  prefix: { kind: "float32", meaning: "Attention of the scored queries on the prefix (start token)" },
  starts: { kind: "float32", meaning: "Attention of the scored queries on the first tokens of the pieces" },
  block: { kind: "float32", meaning: "Attention of the scored queries on the unsplit block itself" },
});

export const effects = table("effects", "Parallel encoding against the unsplit context, paired by document", {
  arm,
  pieces,
  layer: { kind: "int32", meaning: "Layer, from 0; missing: mean over layers", optional: true },
  measure: {
    kind: "text",
    meaning: "entropy (nats), loss (nats per token), prefix, starts, block (shares of attention)",
  },
  mean: { kind: "float32", meaning: "Mean of the measure itself over documents" },
  estimate: { kind: "float32", meaning: "Mean difference from the unsplit context" },
  low: interval.low,
  high: interval.high,
  temperature: { kind: "float32", meaning: "Temperature of the layer, where the arm sets one", optional: true },
});

export const recall = table("recall", "Parallel encoding of key–value lines: answers that are found", {
  arm,
  pieces,
  measure: { kind: "text", meaning: "accuracy (share of answers found), loss (nats per answer)" },
  ...interval,
});
