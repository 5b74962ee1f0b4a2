/**
 * How far does information travel through layers of sparse attention? Method:
 * four static patterns with equally many keys per query are followed backwards from the last token, layer by layer; what
 * they reach is counted. There is nothing random in it: numbers are exact, and n counts what they sum up.
 *
 * Departures: only the reach of the patterns, per token and without blocks. Accuracy on tasks and speed need models that
 * were trained with them; the sink block, the window and LongNet's pattern are left out.
 */
import { bitsSet, countOf, firstGap, patterns, reached } from "../../engine/theory/sparse-reach.js";
import { exact, knownBefore } from "../analysis/exact.js";
import type { Claim, Experiment } from "../experiment.js";
import { batch, table } from "../table.js";

const parameters = { length: 1024, keys: 11, layers: 12 };
type Parameters = typeof parameters;

const reach = table("reach", "Tokens that reach the last one, by pattern and depth: exact counts", {
  pattern: { kind: "text", meaning: "Which keys a query attends to" },
  layer: { kind: "int32", meaning: "Layers passed; 0: the token itself" },
  reached: { kind: "int32", meaning: "Tokens that have reached the last one", unit: "tokens" },
  first_gap: {
    kind: "int32",
    meaning: "Distance of the nearest token that has not; the length where all have",
    unit: "tokens",
  },
});

const hops = table("hops", "Layers that pure powers of two need for a distance: exact counts", {
  distance: { kind: "int32", meaning: "Distance to the last token", unit: "tokens" },
  hops: { kind: "int32", meaning: "Layers until it is reached" },
  bits: { kind: "int32", meaning: "1 bits of the distance" },
});

export interface Evidence {
  readonly length: number;
  /** Tokens reached and nearest gap, by pattern. // [layers + 1] */
  readonly reach: Readonly<Record<string, { readonly reached: readonly number[]; readonly gaps: readonly number[] }>>;
  readonly hops: readonly { readonly hops: number; readonly bits: number }[];
}

const claim = { paper: "power-attention", revised: knownBefore } as const;
const counted = "A count: there is no sampling error.";

export const claims: readonly Claim<Evidence>[] = [
  {
    ...claim,
    id: "reach-doubles",
    statement:
      "With keys at powers of two, l layers reach every distance below 2^l: the reach without gaps doubles with each layer.",
    measure: "least of (distance of the nearest gap ÷ 2^l), over layers until all is reached",
    rule: `Replicated where it is at least 1, not replicated where it is below 0.5, mixed otherwise. ${counted}`,
    judge: ({ length, reach: found }) => {
      const ratios = found.power.gaps.flatMap((gap, layer) => (2 ** layer < length ? [gap / 2 ** layer] : []));
      const least = Math.min(...ratios);
      return {
        ...exact(least, ratios.length),
        outcome: least >= 1 ? "replicated" : least < 0.5 ? "not replicated" : "mixed",
      };
    },
  },
  {
    ...claim,
    id: "reaches-more-at-equal-cost",
    statement: "At equally many keys per query it reaches more tokens than window, dilated and strided patterns.",
    measure: "tokens reached ÷ those of the best other pattern, least over depths from 2 on",
    rule: `Replicated where it is above 1 at every depth from 2 to the last, not replicated where it is below 1 at all of them, mixed otherwise. ${counted}`,
    judge: ({ reach: { power, ...others } }) => {
      const ratios = power.reached
        .map((tokens, layer) => tokens / Math.max(...Object.values(others).map(({ reached: of }) => of[layer])))
        .slice(2);
      const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
      return {
        ...exact(least, ratios.length),
        outcome: least > 1 ? "replicated" : most < 1 ? "not replicated" : "mixed",
      };
    },
  },
  {
    ...claim,
    id: "hops-are-bits",
    statement:
      "A distance takes as many layers as it has 1 bits, so that the logarithm of the length is enough for all.",
    measure: "share of distances whose number of layers is their number of 1 bits",
    rule: `Replicated where it is 1, not replicated where it is below 0.5, mixed otherwise. ${counted}`,
    judge: ({ hops: found }) => {
      const share = found.filter(({ hops: layers, bits }) => layers === bits).length / found.length;
      return {
        ...exact(share, found.length),
        outcome: share === 1 ? "replicated" : share < 0.5 ? "not replicated" : "mixed",
      };
    },
  },
];

export const sparseReach: Experiment<Parameters, Evidence> = {
  id: "sparse-reach",
  title: "Reach of sparse attention",
  question: "How many layers does a static sparse pattern need to connect all tokens?",
  papers: [claim.paper],
  scope: "exact part",
  subject: "records",
  parameters,
  inputs: {},
  tables: [reach, hops],
  claims,
  async *run({ parameters: { length, keys, layers }, progress, signal }) {
    const found: Record<string, { reached: number[]; gaps: number[] }> = {};
    const distances = new Int32Array(length).fill(layers + 1); // layers until a distance is reached
    for (const [done, [name, of]] of Object.entries(patterns).entries()) {
      signal.throwIfAborted();
      progress(done, Object.keys(patterns).length, name);
      const states = reached(of(keys), length, layers);
      found[name] = { reached: states.map(countOf), gaps: states.map(firstGap) };
      if (name === "power") {
        for (const [layer, state] of states.entries()) {
          for (let distance = 0; distance < length; ++distance)
            if (state[length - 1 - distance]) distances[distance] = Math.min(distances[distance], layer);
        }
      }
      yield batch(
        reach,
        states.map((_, layer) => ({
          pattern: name,
          layer,
          reached: found[name].reached[layer],
          first_gap: found[name].gaps[layer],
        })),
      );
    }
    const rows = Array.from(distances, (needed, distance) => ({ distance, hops: needed, bits: bitsSet(distance) }));
    yield batch(hops, rows);
    return { length, reach: found, hops: rows };
  },
};
