/**
 * Item attention: how much of the attention of a question falls on each item of the list before it.
 * A_j = mean over the question's tokens and the heads of one layer of Σ_{k in item j} a(q,k), scaled so that Σ_j A_j = 1
 * (catalogue: attention-basin). The same from the answer position alone is the document attention of attention-sorting.
 */
import type { Forward, Request } from "../../../engine/forward.js";
import { mean } from "../../../engine/interval.js";
import type { Arrangement, ListPrompt } from "../../analysis/list-prompt.js";
import { score } from "../../analysis/questions.js";

/** Whose attention: all tokens of the question with its template, or only the last one, which predicts the answer. */
export const queries = ["question", "answer"] as const;
export type Query = (typeof queries)[number];

/** What one question found. */
export interface Probe {
  /** Position of the item that is asked for, from 0. */
  readonly position: number;
  readonly logProbability: number;
  readonly correct: boolean;
  /** Attention mass on the first token, and then on each item without that token. */
  readonly mass: Readonly<Record<Query, Float64Array>>; // [layers, heads, 1 + items]
}

/** One record in one arrangement: the independent unit. */
export interface Unit {
  readonly record: string;
  readonly layers: number;
  readonly heads: number;
  readonly items: number;
  readonly probes: readonly Probe[];
}

/** The first token is a segment of its own, whether it belongs to an item or stands before them. */
export function requestFor({ prompt, spans }: ListPrompt): Request {
  const segments = [{ first: 0, end: 1 }, ...spans].map(({ first, end }, segment) => {
    const weights = new Float32Array(prompt.ids.length).fill(1, first, end); // [tokens]
    if (segment > 0) weights[0] = 0;
    return weights;
  });
  return { keySegments: segments, logits: "loss" };
}

/** @param forward of `prompt`, with the request of `requestFor` */
export function unitOf(record: string, { asked }: Arrangement, { questions }: ListPrompt, forward: Forward): Unit {
  const { mass } = forward;
  if (!mass) throw new Error("Item attention needs key segments.");
  const [layers, heads, segments, tokens] = mass.dims;
  const over = (start: number, end: number) => {
    const result = new Float64Array(layers * heads * segments); // [layers, heads, 1 + items]
    for (let row = 0; row < result.length; ++row) {
      for (let query = start; query < end; ++query) result[row] += mass.data[row * tokens + query] / (end - start);
    }
    return result;
  };
  const probes = questions.map((question, i) => ({
    position: asked[i],
    ...score(forward, question),
    mass: { question: over(question.start, question.answer), answer: over(question.answer - 1, question.answer) },
  }));
  return { record, layers, heads, items: segments - 1, probes };
}

export interface Where {
  readonly query: Query;
  /** One layer, or the mean over all. */
  readonly layer?: number;
  /** One head, or the mean over all. */
  readonly head?: number;
}

/** Mass of one probe on the first token and on each item. */
export function massOf({ layers, heads, items }: Unit, { mass }: Probe, { query, layer, head }: Where): number[] {
  const total = new Array<number>(1 + items).fill(0);
  let rows = 0;
  for (let l = layer ?? 0; l <= (layer ?? layers - 1); ++l) {
    for (let h = head ?? 0; h <= (head ?? heads - 1); ++h, ++rows) {
      for (let j = 0; j <= items; ++j) total[j] += mass[query][(l * heads + h) * (1 + items) + j];
    }
  }
  return total.map((sum) => sum / rows);
}

/** A_1 … A_n of a unit: its probes averaged, then scaled. `counted`: the first token belongs to the first item. */
export function shares(unit: Unit, where: Where, counted = false): number[] {
  const masses = unit.probes.map((probe) => massOf(unit, probe, where));
  const items = Array.from({ length: unit.items }, (_, j) => mean(masses.map((mass) => mass[j + 1])));
  if (counted) items[0] += mean(masses.map((mass) => mass[0]));
  const total = items.reduce((sum, value) => sum + value, 0);
  return items.map((value) => value / total);
}

/** A_gold of one probe. */
export function goldShare(unit: Unit, probe: Probe, where: Where): number {
  const [, ...items] = massOf(unit, probe, where);
  return items[probe.position] / items.reduce((sum, value) => sum + value, 0);
}

/** Mean over rows of the same length. */
export function meanRow(rows: readonly (readonly number[])[]): number[] {
  return rows[0].map((_, j) => mean(rows.map((row) => row[j])));
}

/** min(A_1, A_n) ÷ mean of A_2 … A_{n−1}. */
export function basinRatio(profile: readonly number[]): number {
  return Math.min(profile[0], profile[profile.length - 1]) / mean(profile.slice(1, -1));
}

/** The ratio above which a re-implementation of the paper calls a layer's profile a basin. */
export const BASIN = 1.3;

/** The shallowest layer with a basin, or the one that comes closest. @param profiles by layer */
export function basinLayer(profiles: readonly (readonly number[])[]): number {
  const ratios = profiles.map(basinRatio);
  const passing = ratios.findIndex((ratio) => ratio > BASIN);
  return passing >= 0 ? passing : ratios.indexOf(Math.max(...ratios));
}
