/** One document, encoded in pieces: the forward pass, and what the scored queries make of it. */
import type { Forward, Request } from "../../../engine/forward.js";
import { mean } from "../../../engine/interval.js";
import type { Model } from "../../../engine/model.js";
import type { Arm } from "./claims.js";
import { type Layout, layout, type Split } from "./pieces.js";

export const measures = ["entropy", "loss", "prefix", "starts", "block"] as const;
export type Measure = (typeof measures)[number];

export interface Encoded extends Readonly<Record<Measure, number>> {
  readonly arm: Arm;
  readonly pieces: number;
  readonly layout: Layout;
  readonly entropies: Float64Array; // [layers], mean over heads and scored queries
  readonly received: Float64Array; // [tokens], from the scored queries, mean over layers and heads
}

export const indicator = (tokens: number, of: (index: number) => boolean) =>
  Float32Array.from({ length: tokens }, (_, index) => Number(of(index)));

export interface Encoding extends Split {
  readonly arm: Arm;
  readonly temperature?: Float32Array; // [layers]
}

export async function encode(model: Model, ids: Int32Array, encoding: Encoding, signal: AbortSignal): Promise<Encoded> {
  const { arm, lengths, prefix, temperature } = encoding;
  const split = layout(ids, encoding);
  const prompt = temperature
    ? { ...split.prompt, temperature: { data: temperature, dims: [temperature.length, 1] } }
    : split.prompt;
  const forward = await model.forward(prompt, requestFor(split, prefix), { signal });
  return { arm, pieces: lengths.length, layout: split, ...measure(split, forward) };
}

function requestFor({ prompt, block, ranges }: Layout, prefix: number): Request {
  const tokens = prompt.ids.length;
  const starts = new Set(ranges.map(({ first }) => first));
  return {
    rows: true,
    keySegments: [
      indicator(tokens, (key) => key < prefix),
      indicator(tokens, (key) => starts.has(key)),
      indicator(tokens, (key) => key >= block),
    ],
    queryGroups: [indicator(tokens, (query) => query >= block && query < tokens - 1)],
    logits: "loss",
  };
}

/** Scored queries are the block without its last token, which predicts nothing. */
function measure({ block }: Layout, { tokens, entropy, mass, received, logProbability }: Forward) {
  if (!entropy || !mass || !received || !logProbability)
    throw new Error("Parallel encoding needs rows, mass and loss.");
  const [layers, heads] = entropy.dims;
  const segments = mass.dims[2];
  const scored = (values: Float32Array, row = 0) => mean(values.subarray(row * tokens + block, (row + 1) * tokens - 1));
  const overHeads = (of: (head: number) => number, first = 0, end = layers * heads) =>
    mean(Array.from({ length: end - first }, (_, i) => of(first + i)));
  const share = (segment: number) => overHeads((head) => scored(mass.data, head * segments + segment));
  const entropies = Float64Array.from({ length: layers }, (_, layer) =>
    overHeads((head) => scored(entropy.data, head), layer * heads, (layer + 1) * heads),
  );
  return {
    entropy: mean(entropies),
    loss: -mean(logProbability.subarray(block)), // [tokens − 1]: from the block's first token on
    prefix: share(0),
    starts: share(1),
    block: share(2),
    entropies,
    received: Float64Array.from({ length: tokens }, (_, key) =>
      overHeads((head) => received.data[head * tokens + key]),
    ),
  };
}

/** Mean entropy per layer over documents. */
export function meanEntropies(encoded: readonly Encoded[]): Float64Array {
  return encoded[0].entropies.map((_, layer) => mean(encoded.map(({ entropies }) => entropies[layer])));
}
