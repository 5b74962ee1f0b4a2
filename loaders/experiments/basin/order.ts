/**
 * Orders of a list by relevance. Each gives, for the r-th most relevant item, its position; the most relevant one is
 * the item that is asked for.
 */
import { mean } from "../../../engine/interval.js";
import type { Random } from "../../../engine/random.js";
import type { Item } from "../../analysis/records.js";
import { meanRow, type Probe, shares, type Unit } from "./attention.js";
import type { Answer, Order } from "./claims.js";

/** Positions from the highest value to the lowest; equal values keep their order. */
export function descending(values: readonly number[]): number[] {
  return values.map((_, position) => position).sort((a, b) => values[b] - values[a] || a - b);
}

/** Most relevant first, second last, third second …: the order that "lost in the middle" suggests. */
export function endsFirst(count: number): number[] {
  return Array.from({ length: count }, (_, r) => (r % 2 === 0 ? r / 2 : count - (r + 1) / 2));
}

/** The list in which the r-th of `ranked` stands at position `positions[r]`. */
export function place<T>(ranked: readonly T[], positions: readonly number[]): T[] {
  const list = new Array<T>(ranked.length);
  ranked.forEach((item, r) => {
    list[positions[r]] = item;
  });
  return list;
}

/** Mean log-probability of the answer by position. */
export function usesOf(units: readonly Unit[]): number[] {
  const probes = units.flatMap((unit) => unit.probes);
  return Array.from({ length: units[0].items }, (_, position) =>
    mean(probes.filter((probe) => probe.position === position).map(({ logProbability }) => logProbability)),
  );
}

/** What a list in one order came to. */
export interface Trial {
  readonly probe: Probe;
  /** Attention of the answer position on each item, mean over layers and heads. */
  readonly attention: readonly number[];
}

export interface Ordering {
  readonly record: string;
  readonly items: readonly Item[];
  /** The item that is asked for. */
  readonly gold: Item;
  /** Measured on other records. */
  readonly calibration: readonly Unit[];
  /** The layer whose profile the attention-rank order takes, chosen on the same records. */
  readonly layer: number;
  readonly rounds: number;
}

/** One question about one list in every order. */
export async function* reorder(
  { record, items, gold, calibration, layer, rounds }: Ordering,
  ask: (items: readonly Item[], position: number) => Promise<Trial>,
  random: Random,
): AsyncGenerator<Answer> {
  const run = async (list: readonly Item[], order: Order, round = 0) => {
    const { probe, attention } = await ask(list, list.indexOf(gold));
    const { position, logProbability, correct } = probe;
    return { answer: { record, order, round, position, logProbability, correct }, attention };
  };
  const ranked = [gold, ...items.filter((item) => item !== gold)];
  const profile = meanRow(calibration.map((unit) => shares(unit, { query: "question", layer })));
  const byRelevance: readonly (readonly [Order, readonly number[]])[] = [
    ["best first", [...ranked.keys()]],
    ["best last", [...ranked.keys()].reverse()],
    ["ends first", endsFirst(ranked.length)],
    ["attention rank", descending(profile)],
    ["measured use", descending(usesOf(calibration))],
  ];
  for (const [order, positions] of byRelevance) yield (await run(place(ranked, positions), order)).answer;
  let sorted = items;
  let { answer, attention } = await run(sorted, "as given");
  yield answer;
  for (let round = 1; round <= rounds; ++round) {
    sorted = descending(attention)
      .reverse()
      .map((position) => sorted[position]);
    ({ answer, attention } = await run(sorted, "attention sorting", round));
    yield answer;
    yield (await run(random.shuffle(items), "random", round)).answer;
  }
}
