/** Rows of the tables, from the readings of texts and contexts. */
import type { Architecture } from "../../../engine/architecture.js";
import { type Interval, mean } from "../../../engine/interval.js";
import { ResampledMean } from "../../analysis/resampled-mean.js";
import type { Task } from "../positional-bias/contexts.js";
import { type Basis, bestCoverage, type Choice, meanOver, type Selector, selectors } from "./low-rank.js";
import type { Answered } from "./measure.js";
import { type Policy, policies, type Sizes } from "./policies.js";
import { type ContextReading, type Recurrence, silences, type TextReading } from "./readings.js";
import type { Mask } from "./retrieval.js";
import { masks } from "./retrieval.js";

type Prefixed<P extends string> = Record<P | `${P}_low` | `${P}_high`, number>;

const estimated = ({ estimate, low, high }: Interval) => ({ estimate, low, high });

function named<P extends string>(name: P, { estimate, low, high }: Interval): Prefixed<P> {
  return { [name]: estimate, [`${name}_low`]: low, [`${name}_high`]: high } as Prefixed<P>;
}

/** Means over units that were drawn once, for all rows. */
export class Means {
  readonly #sizes = new Map<number, ResampledMean>();

  constructor(private readonly seed: number) {}

  of(values: readonly number[]): Interval {
    const resampled = this.#sizes.get(values.length) ?? new ResampledMean(values.length, { seed: this.seed });
    this.#sizes.set(values.length, resampled);
    return resampled.of(values);
  }
}

interface Compared<T> {
  readonly whole: T;
  readonly cut: Readonly<Record<Policy, readonly T[]>>;
  readonly selected?: Readonly<Record<Selector, readonly T[]>>;
}

/** What readings say under each policy's cuts, and where queries select as many keys. // policies × cuts × [readings] */
function compared<T>(readings: readonly Compared<T>[], { evicted }: Pick<Sizes, "evicted">) {
  const names = [...policies, ...(readings[0]?.selected ? selectors : [])];
  const under = ({ cut, selected }: Compared<T>): Readonly<Record<string, readonly T[]>> => ({ ...cut, ...selected });
  return names.flatMap((policy) =>
    evicted.map((share, cut) => ({
      policy,
      evicted: share,
      of: readings.map((reading) => under(reading)[policy][cut]),
    })),
  );
}

export function lossRows(
  condition: string,
  readings: readonly Compared<number>[],
  sizes: Pick<Sizes, "evicted">,
  means: Means,
) {
  return compared(readings, sizes).map(({ policy, evicted, of }) => ({
    condition,
    policy,
    evicted,
    whole: mean(readings.map(({ whole }) => whole)),
    ...estimated(means.of(of.map((loss, i) => loss - readings[i].whole))),
  }));
}

/** With the whole cache (nothing evicted), then with each policy's cuts. */
export function answerRows(
  task: Task,
  readings: readonly Compared<Answered>[],
  sizes: Pick<Sizes, "evicted">,
  means: Means,
) {
  const row = (policy: string, share: number, answered: readonly Answered[]) => ({
    task,
    policy,
    evicted: share,
    ...estimated(means.of(answered.map(({ correct }) => correct))),
    ...named("log_probability", means.of(answered.map(({ logProbability }) => logProbability))),
  });
  return [
    row(
      "whole cache",
      0,
      readings.map(({ whole }) => whole),
    ),
    ...compared(readings, sizes).map(({ policy, evicted, of }) => row(policy, evicted, of)),
  ];
}

/** Of a context in float32, as the engine keeps it. Low-rank keys keep all, and read all keys in few dimensions first. */
export function memoryRows(
  readings: readonly TextReading[],
  tokens: number,
  { evicted }: Sizes,
  lowRank: { readonly share: number; readonly kept: readonly number[] },
  { layers, keyValueHeads, headSize }: Architecture,
) {
  const whole = 2 * layers * keyValueHeads * headSize * tokens * Float32Array.BYTES_PER_ELEMENT;
  const row = (policy: string, at: number, share: number, read: number) => ({
    policy,
    evicted: at,
    share,
    bytes: Math.round(share * whole),
    read,
  });
  return [
    row("whole cache", 0, 1, 1),
    ...evicted.flatMap((at, cut) => [
      ...policies.map((policy) => {
        const share = mean(readings.map(({ kept }) => kept[policy][cut]));
        return row(policy, at, share, share);
      }),
      row("low-rank keys", at, 1, lowRank.share / 2 + lowRank.kept[cut] / tokens),
    ]),
  ];
}

/** Attention that each policy's keys hold, by head: for texts with choices also that of the choices. */
interface Covering {
  readonly policy: string;
  /** texts × cuts × [layers · heads] */
  readonly of: readonly (readonly ArrayLike<number>[])[];
}

/** @param chosen which of a reading's choices stands for low-rank keys */
export function coverings(readings: readonly TextReading[], chosen: number | undefined): Covering[] {
  const byPolicy = policies.map((policy) => ({ policy, of: readings.map(({ covered }) => covered[policy]) }));
  if (chosen === undefined) return byPolicy;
  const withChoices = readings.filter(({ choices }) => choices.length > 0);
  const overHeads = (value: (choice: Choice) => number) =>
    withChoices.map(({ choices }) =>
      choices[chosen][0].map((_, cut) => choices[chosen].map((cuts) => value(cuts[cut]))),
    );
  return [
    ...byPolicy,
    { policy: "low-rank keys", of: overHeads(({ coverage }) => coverage) },
    { policy: "most attended", of: overHeads(bestCoverage) },
  ];
}

export function coverageRows(condition: string, all: readonly Covering[], { evicted }: Sizes, means: Means) {
  return all.flatMap(({ policy, of }) =>
    evicted.map((share, cut) => ({
      condition,
      policy,
      evicted: share,
      ...estimated(means.of(of.map((cuts) => mean(cuts[cut])))),
    })),
  );
}

/** One row for each cut and head: means over texts or contexts. @param of units × cuts × [layers · heads] */
function* byHead(of: readonly (readonly ArrayLike<number>[])[], { evicted }: Sizes, heads: number) {
  for (const [cut, share] of evicted.entries()) {
    for (let at = 0; at < of[0][cut].length; ++at) {
      const estimate = mean(of.map((cuts) => cuts[cut][at]));
      yield { evicted: share, layer: Math.floor(at / heads), head: at % heads, estimate };
    }
  }
}

export function coveredRows(all: readonly Covering[], sizes: Sizes, heads: number) {
  return all.flatMap(({ policy, of }) => Array.from(byHead(of, sizes, heads), (row) => ({ policy, ...row })));
}

export function heldRows(task: Task, readings: readonly ContextReading[], sizes: Sizes, heads: number) {
  return policies.flatMap((policy) => {
    const of = readings.map(({ held }) => held[policy]);
    return Array.from(byHead(of, sizes, heads), (row) => ({ task, policy, ...row }));
  });
}

export function headRows(
  condition: string,
  readings: readonly TextReading[],
  scores: readonly number[],
  recurrence: readonly Recurrence[],
  heads: number,
) {
  const overTexts = (of: (reading: TextReading) => readonly number[], at: number) =>
    mean(readings.map((reading) => of(reading)[at]).filter((value) => !Number.isNaN(value)));
  return scores.map((retrieval, at) => ({
    condition,
    layer: Math.floor(at / heads),
    head: at % heads,
    retrieval,
    sink: overTexts(({ traits }) => traits.sink, at),
    entropy: overTexts(({ traits }) => traits.entropy, at),
    norm_correlation: overTexts(({ traits }) => traits.normCorrelation, at),
    rank: overTexts(({ ranks }) => ranks.after, at),
    rank_before: overTexts(({ ranks }) => ranks.before, at),
    recurrence: mean(recurrence.map(({ real }) => real[real.length - 1][at])),
  }));
}

export interface Chooser {
  readonly basis: Basis;
  readonly share: number;
}

export function componentRows(
  choosers: readonly Chooser[],
  readings: readonly TextReading[],
  { evicted }: Sizes,
  means: Means,
) {
  const withChoices = readings.filter(({ choices }) => choices.length > 0);
  return choosers.flatMap(({ basis, share: dimensions }, i) =>
    evicted.map((share, cut) => {
      const of = withChoices.map(({ choices }) => meanOver(choices[i], cut));
      return {
        basis,
        dimensions,
        kept: 1 - share,
        ...named("mass", means.of(of.map(({ mass }) => mass))),
        ...named("agreement", means.of(of.map(({ agreement }) => agreement))),
      };
    }),
  );
}

/** @param values of each text or context: unmasked, and under each mask */
export function maskedRows<T extends TextReading | ContextReading>(
  key: { readonly task: Task | "text"; readonly measure: string },
  readings: readonly T[],
  values: {
    readonly whole: (of: T) => number;
    readonly under: (of: T, mask: Mask, heads: "retrieval" | "random") => number;
  },
  means: Means,
) {
  return masks.flatMap((mask) => [
    { heads: "none", mask, ...key, ...estimated(means.of(readings.map(values.whole))) },
    ...(["retrieval", "random"] as const).map((heads) => ({
      heads,
      mask,
      ...key,
      ...estimated(means.of(readings.map((of) => values.under(of, mask, heads)))),
    })),
  ]);
}

export function recurrenceRows(source: string, readings: readonly Recurrence[], sizes: Sizes, means: Means) {
  return silences(sizes).flatMap((beyond, i) =>
    (["real", "shuffled"] as const).map((order) => ({
      source,
      order: order === "real" ? "as it is" : "shuffled",
      beyond,
      ...estimated(means.of(readings.map((of) => mean(of[order][i])))),
    })),
  );
}
