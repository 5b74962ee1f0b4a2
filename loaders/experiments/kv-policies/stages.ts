/**
 * Prompts that read their end several times over, each time with fewer keys of their beginning. Every reading is made of
 * pieces of its own, at the positions of the first, so that it sees the context and itself as if it were the only one; a
 * key that a cut of the cache drops is hidden from the first query of that reading on.
 */
import type { Architecture } from "../../../engine/architecture.js";
import type { Prompt } from "../../../engine/forward.js";
import type { Asked } from "../../analysis/questions.js";

/** A context with what follows it, which is in pieces from 1 on. */
export interface Base {
  readonly prompt: Prompt;
  /** Tokens of the context. */
  readonly tokens: number;
}

/**
 * For each key of the context, how many cuts of the cache it survives: one that survives n is there in readings 0 to
 * n − 1. // layers · keyValueHeads × [keys]
 */
export type Survival = readonly Uint8Array[];

/** A text with its beginning as context and the rest as one piece. */
export function continued(ids: Int32Array, tokens: number): Base {
  return { prompt: { ids, pieces: Int32Array.from(ids, (_, at) => (at < tokens ? 0 : 1)) }, tokens };
}

/** The context and as many readings of the end: the first under the first cut, and so on. */
export function staged({ prompt, tokens }: Base, survival: Survival, readings: number, shape: Shape): Prompt {
  const end = prompt.ids.length - tokens;
  const pieces = prompt.pieces?.reduce((a, b) => Math.max(a, b), 0) ?? 0;
  const length = tokens + readings * end;
  const from = (at: number) => (at < tokens ? at : tokens + ((at - tokens) % end));
  const read = (at: number) => Math.max(0, Math.floor((at - tokens) / end));
  const sequence = (value: (at: number) => number) => Int32Array.from({ length }, (_, at) => value(at));
  return {
    ids: sequence((at) => prompt.ids[from(at)]),
    positions: sequence((at) => prompt.positions?.[from(at)] ?? from(at)),
    pieces: sequence((at) => (at < tokens ? 0 : (prompt.pieces?.[from(at)] ?? 1) + read(at) * pieces)),
    eviction: {
      dims: [shape.layers, shape.heads, length],
      data: evictionOf(survival, { length, first: tokens, readings, step: end }, shape),
    },
  };
}

/** A question of the base in one of the readings. */
export function inReading({ prompt, tokens }: Base, { start, answer, end }: Asked, reading: number): Asked {
  const shift = reading * (prompt.ids.length - tokens);
  return { start: start + shift, answer: answer + shift, end: end + shift };
}

export type Shape = Pick<Architecture, "layers" | "heads" | "keyValueHeads">;

/** @returns [layers, heads, length] */
function evictionOf(
  survival: Survival,
  { length, first, readings, step }: Readonly<Record<"length" | "first" | "readings" | "step", number>>,
  { layers, heads, keyValueHeads }: Shape,
): Int32Array {
  const data = new Int32Array(layers * heads * length).fill(length);
  for (let head = 0; head < layers * heads; ++head) {
    survival[keyValueHeadOf(head, { heads, keyValueHeads })].forEach((survived, key) => {
      if (survived < readings) data[head * length + key] = first + survived * step;
    });
  }
  return data;
}

/** The key–value head of a head; both are counted through the layers. */
export function keyValueHeadOf(head: number, { heads, keyValueHeads }: Omit<Shape, "layers">): number {
  const inLayer = Math.floor(((head % heads) * keyValueHeads) / heads);
  return Math.floor(head / heads) * keyValueHeads + inLayer;
}

/** The heads that read each key–value head. // layers · keyValueHeads × heads */
export function readersOf(shape: Shape): readonly (readonly number[])[] {
  const readers: number[][] = Array.from({ length: shape.layers * shape.keyValueHeads }, () => []);
  for (let head = 0; head < shape.layers * shape.heads; ++head) readers[keyValueHeadOf(head, shape)].push(head);
  return readers;
}
