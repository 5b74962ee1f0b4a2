/**
 * Which keys of a context each policy keeps once the context has been read. All policies decide from what has been seen
 * of the context alone, not from what is asked afterwards.
 */
import type { Forward, Values } from "../../../engine/forward.js";
import { mean } from "../../../engine/interval.js";
import type { Random } from "../../../engine/random.js";
import { row } from "../../analysis/vectors.js";
import { activityOf, worth } from "./recurrence.js";
import { readersOf, type Shape, type Survival } from "./stages.js";

/** Policies that rank the keys of every head and keep as many in each. */
export const rankings = [
  "sinks + recent",
  "low key norm",
  "high key norm",
  "recurrence",
  "cumulative attention",
  "last attention",
  "random keys",
] as const;
/** Policies that keep all keys of some heads, and sinks and recent keys of the others. */
export const divisions = ["retrieval heads", "random heads"] as const;
export const policies = [...rankings, ...divisions] as const;
export type Ranking = (typeof rankings)[number];
export type Policy = (typeof policies)[number];

export function byPolicy<T>(of: (policy: Policy) => T): Record<Policy, T> {
  return Object.fromEntries(policies.map((policy) => [policy, of(policy)])) as Record<Policy, T>;
}

export interface Sizes {
  /** Shares of the keys that are dropped, rising. */
  readonly evicted: readonly number[];
  /** Tokens at the start that a streaming cache keeps. */
  readonly sinks: number;
  /** Keys of a head that streams; and the most recent ones that policies by attention keep whatever they received. */
  readonly window: number;
}

/** Keys that stay of so many, for each cut. */
export const keptOf = (keys: number, { evicted }: Pick<Sizes, "evicted">): number[] =>
  evicted.map((share) => Math.round((1 - share) * keys));

/** What has been seen of a context, by key–value head: for a group of heads that share keys, their mean. */
export interface Seen {
  readonly keys: number;
  readonly keyNorm: readonly ArrayLike<number>[]; // layers · keyValueHeads × [keys]
  readonly cumulative: readonly ArrayLike<number>[];
  readonly last: readonly ArrayLike<number>[];
  readonly worth: readonly ArrayLike<number>[];
}

/** @param threshold attention from which on a key is active */
export function seen({ attention, keyNorm }: Forward, keys: number, threshold: number, shape: Shape): Seen {
  if (!attention || !keyNorm) throw new Error("Policies need attention and norms.");
  const received = (head: number, first: number) => receivedFrom(attention, head, first, keys, keys);
  const perGroup = (of: (head: number) => ArrayLike<number>) =>
    readersOf(shape).map((heads) => {
      const each = heads.map(of);
      return Float64Array.from({ length: keys }, (_, key) => mean(each.map((values) => values[key])));
    });
  return {
    keys,
    keyNorm: readersOf(shape).map((_, at) =>
      row(keyNorm, Math.floor(at / shape.keyValueHeads), at % shape.keyValueHeads).subarray(0, keys),
    ),
    cumulative: perGroup((head) => received(head, 0)),
    last: perGroup((head) => received(head, keys - 1)),
    worth: perGroup((head) => {
      const stride = attention.dims[3];
      return worth(activityOf(matrixOf(attention, head), { keys, stride, threshold }), keys);
    }),
  };
}

/** The attention of one head, counted through the layers. // [queries, keys] */
export function matrixOf({ data, dims }: Values, head: number): Float32Array {
  const size = dims[2] * dims[3];
  return data.subarray(head * size, (head + 1) * size);
}

/** Attention that the first `keys` keys receive from queries `first` to `end` (exclusive). // [keys] */
export function receivedFrom(attention: Values, head: number, first: number, end: number, keys: number): Float64Array {
  const matrix = matrixOf(attention, head);
  const sums = new Float64Array(keys);
  for (let query = first; query < end; ++query) {
    const of = query * attention.dims[3];
    for (let key = 0; key < keys; ++key) sums[key] += matrix[of + key];
  }
  return sums;
}

/** The keys of each head in the order of their scores: those with high ones survive more cuts, of equal ones the later. */
function ranked(scores: readonly ArrayLike<number>[], kept: readonly number[]): Survival {
  return scores.map((of) => {
    const order = Array.from(of, (_, key) => key).sort((a, b) => of[b] - of[a] || b - a);
    const survival = new Uint8Array(of.length);
    order.forEach((key, rank) => {
      survival[key] = kept.filter((count) => rank < count).length;
    });
    return survival;
  });
}

export function rankedBy(policy: Ranking, context: Seen, sizes: Sizes, random: Random): Survival {
  const { keys, keyNorm } = context;
  const positions = Array.from({ length: keys }, (_, key) => key);
  const scored = (score: (head: number, key: number) => number) =>
    ranked(
      keyNorm.map((_, head) => positions.map((key) => score(head, key))),
      keptOf(keys, sizes),
    );
  const besideRecent = (values: readonly ArrayLike<number>[]) =>
    scored((head, key) => (key >= keys - sizes.window ? Number.MAX_VALUE : values[head][key]));
  switch (policy) {
    case "sinks + recent":
      return scored((_, key) => (key < sizes.sinks ? keys : key));
    case "low key norm":
      return scored((head, key) => -keyNorm[head][key]);
    case "high key norm":
      return scored((head, key) => keyNorm[head][key]);
    case "recurrence":
      return besideRecent(context.worth);
    case "cumulative attention":
      return besideRecent(context.cumulative);
    case "last attention":
      return besideRecent(context.last);
    case "random keys":
      return scored((_, key) => (key === 0 ? 1 : random.next()));
  }
}

/**
 * All keys of the heads that come first in an order, as many heads as the memory allows for each cut, and sinks and recent
 * keys of the others.
 * @param order key–value heads, counted through the layers, from the one that keeps its cache longest
 */
export function divided(order: readonly number[], keys: number, sizes: Sizes): Survival {
  const whole = keptOf(keys, sizes).map((kept) => wholeHeads(order.length, keys, kept, sizes.window));
  const survival: Uint8Array[] = [];
  order.forEach((head, rank) => {
    const cuts = whole.filter((count) => rank < count).length;
    survival[head] = Uint8Array.from({ length: keys }, (_, key) =>
      key < sizes.sinks || key >= keys - (sizes.window - sizes.sinks) ? whole.length : cuts,
    );
  });
  return survival;
}

/** Heads that can keep all keys where the others keep `window` and all together `kept` per head. */
export function wholeHeads(heads: number, keys: number, kept: number, window: number): number {
  return Math.max(0, Math.floor((heads * (kept - window)) / (keys - window)));
}

/**
 * Another order with as many heads of each layer at every place: within each layer the heads change places at random.
 */
export function withinLayers(order: readonly number[], perLayer: number, random: Random): number[] {
  const drawn = new Map<number, number[]>();
  for (const head of order) {
    const layer = Math.floor(head / perLayer);
    drawn.set(layer, [...(drawn.get(layer) ?? []), head]);
  }
  for (const [layer, heads] of drawn) drawn.set(layer, random.shuffle(heads));
  return order.map((head) => drawn.get(Math.floor(head / perLayer))?.pop() ?? head);
}

export interface Setting {
  readonly sizes: Sizes;
  readonly shape: Shape;
  /** Key–value heads, counted through the layers, from the highest retrieval score. */
  readonly order: readonly number[];
  readonly random: Random;
}

/** What every policy keeps of a context. */
export function survivalsOf(context: Seen, { sizes, shape, order, random }: Setting): Record<Policy, Survival> {
  return byPolicy((policy) => {
    if (policy === "retrieval heads") return divided(order, context.keys, sizes);
    if (policy === "random heads")
      return divided(withinLayers(order, shape.keyValueHeads, random), context.keys, sizes);
    return rankedBy(policy, context, sizes, random);
  });
}

/** Share of all keys that are there under a cut (from 1), over all heads. */
export function keptShare(survival: Survival, cut: number): number {
  return mean(survival.map((of) => mean(Array.from(of, (survived) => Number(survived >= cut)))));
}
