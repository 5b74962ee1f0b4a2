/**
 * Low-rank keys: scores in the first principal components of a head's keys choose the keys of each query (Loki,
 * https://arxiv.org/abs/2406.02542). The components' mean is not taken off, which shifts all scores of a query alike.
 */
import type { Architecture } from "../../../engine/architecture.js";
import type { Forward, Prompt, Values } from "../../../engine/forward.js";
import { mean } from "../../../engine/interval.js";
import type { Random } from "../../../engine/random.js";
import { dot } from "../../../engine/theory/matrix.js";
import { principalComponents, rankAt } from "../../analysis/principal-components.js";
import { componentsOf, projected, randomDirections, unrotated, vectorsOf } from "./components.js";
import { laterRows } from "./measure.js";
import { type Base, keyValueHeadOf } from "./stages.js";

export const bases = ["after rotary", "before rotary", "random"] as const;
export type Basis = (typeof bases)[number];
/** Directions of each key–value head. // layers · keyValueHeads × [headSize, headSize] */
export type Directions = Readonly<Record<Basis, readonly Float64Array[]>>;

/** The share of dimensions, and of keys, that the claims on low-rank keys are about. */
export const QUARTER = 0.25;

/** What drops nothing, and has each query select as many keys as policies keep: by components of keys, or by noise. */
export const selectors = ["low-rank keys", "random directions"] as const;
export type Selector = (typeof selectors)[number];
export const basisOf: Readonly<Record<Selector, Basis>> = {
  "low-rank keys": "after rotary",
  "random directions": "random",
};

const rankOf = (share: number, headSize: number): number => Math.max(1, Math.round(share * headSize));

/** Each query after a context selects so many of its keys. */
export function selecting(
  { prompt, tokens }: Base,
  keep: number,
  { directions, share }: Chooser,
  { headSize }: Pick<Architecture, "headSize">,
): Prompt {
  const rank = rankOf(share, headSize);
  const size = headSize * rank;
  const data = new Float32Array(directions.length * size); // [layers · keyValueHeads, headSize, rank]
  directions.forEach((basis, head) => {
    for (let i = 0; i < size; ++i) data[head * size + i] = basis[(i % rank) * headSize + Math.floor(i / rank)];
  });
  return { ...prompt, selection: { directions: data, rank, keep, from: tokens, keys: tokens } };
}

function vectors(forward: Forward): { queries: Values; keys: Values } {
  const { queries, keys } = forward;
  if (!queries || !keys) throw new Error("Low-rank keys need vectors.");
  return { queries, keys };
}

/** Keys of a context by key–value head, as attention sees them or without position encoding. // heads × [tokens, headSize] */
export function keysOf(forward: Forward, tokens: number, architecture: Architecture, encoded: boolean): Float32Array[] {
  const { layers, keyValueHeads, headSize } = architecture;
  return Array.from({ length: layers * keyValueHeads }, (_, head) => {
    const keys = vectorsOf(vectors(forward).keys, head).subarray(0, tokens * headSize);
    return encoded ? keys : unrotated(keys, Math.floor(head / keyValueHeads), architecture);
  });
}

/** Components of the keys of other texts, and directions that know nothing. */
export function directionsOf(texts: readonly Forward[], architecture: Architecture, random: Random): Directions {
  const { headSize } = architecture;
  const of = (encoded: boolean) =>
    componentsOf(
      texts.map((forward) => keysOf(forward, forward.tokens, architecture, encoded)),
      headSize,
    ).map(({ basis }) => basis);
  const after = of(true);
  return {
    "after rotary": after,
    "before rotary": of(false),
    random: after.map(() => randomDirections(headSize, random)),
  };
}

/** Components that hold 90 % of the variance ÷ head size, by key–value head. */
export function ranksOf(keys: readonly Float32Array[], headSize: number): number[] {
  return keys.map((of) => rankAt(principalComponents(of, headSize).variances, 0.9) / headSize);
}

export interface Choice {
  /** Attention on the chosen keys ÷ attention on the same number of most attended ones. */
  readonly mass: number;
  /** Attention on the chosen keys ÷ attention on all keys of the context. */
  readonly coverage: number;
  /** Share of the chosen keys that are among the most attended. */
  readonly agreement: number;
}

/** Attention of one query on the keys of a context, in their order and sorted, rising. */
export interface Attended {
  readonly mass: Float32Array; // [keys]
  readonly sorted: Float32Array; // [keys]
}

export interface Projected {
  readonly queries: Float64Array; // [queries, rank]
  readonly keys: Float64Array; // [keys, rank]
  readonly rank: number;
}

/** How well scores in few dimensions choose, for each number of keys: over all queries together. */
export function choicesOf(
  { queries, keys, rank }: Projected,
  attended: readonly Attended[],
  kept: readonly number[],
): Choice[] {
  const count = keys.length / rank;
  const sums = kept.map(() => ({ chosen: 0, best: 0, shared: 0 }));
  const scores = new Float64Array(count);
  let total = 0;
  attended.forEach(({ mass, sorted }, query) => {
    for (let key = 0; key < count; ++key) scores[key] = dot(queries, query * rank, keys, key * rank, rank);
    const rising = scores.slice().sort();
    for (const of of mass) total += of;
    kept.forEach((k, i) => {
      const [least, leastAttended] = [rising[count - k], sorted[count - k]];
      for (let key = 0; key < count; ++key) {
        const isBest = mass[key] >= leastAttended;
        if (isBest) sums[i].best += mass[key];
        if (scores[key] < least) continue;
        sums[i].chosen += mass[key];
        if (isBest) ++sums[i].shared;
      }
    });
  });
  return sums.map(({ chosen, best, shared }, i) => ({
    mass: chosen / best,
    coverage: chosen / total,
    agreement: shared / (kept[i] * attended.length),
  }));
}

/** Directions of each key–value head, and the share of them that is used. */
export interface Chooser {
  readonly directions: readonly Float64Array[];
  readonly share: number;
}

/**
 * What the queries after a context choose, by chooser and head.
 * @param kept numbers of keys
 * @returns choosers × layers · heads × cuts
 */
export function choose(
  forward: Forward,
  tokens: number,
  choosers: readonly Chooser[],
  kept: readonly number[],
  architecture: Architecture,
): Choice[][][] {
  const { layers, heads, headSize } = architecture;
  const { queries, keys } = vectors(forward);
  const chosen: Choice[][][] = choosers.map(() => []);
  if (choosers.length === 0) return chosen;
  for (let head = 0; head < layers * heads; ++head) {
    const shared = keyValueHeadOf(head, architecture);
    const later = vectorsOf(queries, head).subarray(tokens * headSize);
    const context = vectorsOf(keys, shared).subarray(0, tokens * headSize);
    const attended = laterRows(forward, head, tokens).map((mass) => ({ mass, sorted: mass.slice().sort() }));
    choosers.forEach(({ directions, share }, i) => {
      const rank = rankOf(share, headSize);
      const of = (rows: Float32Array) => projected(rows, directions[shared], headSize, rank);
      chosen[i].push(choicesOf({ queries: of(later), keys: of(context), rank }, attended, kept));
    });
  }
  return chosen;
}

/** The best choice covers what the most attended keys hold. */
export const bestCoverage = ({ mass, coverage }: Choice): number => coverage / mass;

export const meanOver = (choices: readonly (readonly Choice[])[], cut: number): Choice => ({
  mass: mean(choices.map((of) => of[cut].mass)),
  coverage: mean(choices.map((of) => of[cut].coverage)),
  agreement: mean(choices.map((of) => of[cut].agreement)),
});
