/**
 * Long contexts with facts at known depths. Key–value: lines of pairs until the context is full. Needles: running text
 * with one fact at each depth. Every fact at a depth is asked for on its own.
 */

import { UserError } from "../../../engine/errors.js";
import type { Request } from "../../../engine/forward.js";
import type { Tokenizer } from "../../../engine/tokenizer.js";
import { askAll, type Questionnaire } from "../../analysis/questions.js";
import { type AskedItem, asking, delimited, type FactList, type Format, isAsked } from "../../analysis/records.js";

export type Task = "needles" | "key-value";
/** Depths from the start of the context (0) to its end. */
export const DEPTHS = 10;

/** An item as tokens. */
export interface Fact {
  readonly item: AskedItem;
  readonly ids: Int32Array;
  /** Index in `ids` of the answer's first token. */
  readonly answer: number;
}

export interface Context extends Questionnaire {
  readonly task: Task;
  /** Tokens before the questions. */
  readonly tokens: number;
  /** Facts in the context, asked for or not. */
  readonly facts: number;
  /** Depth (0 … DEPTHS − 1) of each question. */
  readonly depths: readonly number[];
  /** Position of the answer's first token in the context, for each question. */
  readonly answers: readonly number[];
  /** Positions of running text, which is neither fact nor question; empty for key–value. */
  readonly text: readonly number[];
}

export function factOf(item: AskedItem, format: Format, tokenizer: Tokenizer): Fact {
  const text = format === "key-value" ? delimited(format, item.text, 0) : `${item.text}\n\n`;
  const ids = tokenizer.encode(text);
  const before = tokenizer.encode(text.slice(0, text.lastIndexOf(item.answer)).trimEnd());
  let answer = 0;
  while (answer < before.length && before[answer] === ids[answer]) ++answer;
  return { item, ids, answer: Math.min(answer, ids.length - 1) };
}

/** Facts of all records of a format; only what can be asked for. */
export function factsOf(records: readonly FactList[], format: Format, tokenizer: Tokenizer): Fact[][] {
  return records
    .filter((record) => record.format === format)
    .map(({ items }) => items.filter(isAsked).map((item) => factOf(item, format, tokenizer)));
}

interface Placed {
  readonly fact: Fact;
  readonly start: number;
  readonly depth: number;
}

function contextOf(
  { task, facts: count }: Pick<Context, "task" | "facts">,
  ids: readonly number[],
  placed: readonly Placed[],
  tokenizer: Tokenizer,
): Context {
  const format = task === "needles" ? "documents" : "key-value";
  const questions = placed.map(({ fact: { item } }) => ({ text: asking(format, item.question), answer: item.answer }));
  const facts = new Set(placed.flatMap(({ fact, start }) => Array.from(fact.ids, (_, i) => start + i)));
  return {
    ...askAll(Int32Array.from(ids), questions, tokenizer),
    task,
    facts: count,
    tokens: ids.length,
    depths: placed.map(({ depth }) => depth),
    answers: placed.map(({ fact, start }) => start + fact.answer),
    text: task === "needles" ? [...ids.keys()].filter((at) => at > 0 && !facts.has(at)) : [],
  };
}

/** Longest question with its answer: what a context leaves free of its length. */
export function questionTokens(facts: readonly Fact[], format: Format, tokenizer: Tokenizer): number {
  return Math.max(
    ...facts.map(({ item }) => tokenizer.encode(`${asking(format, item.question)} ${item.answer}`).length),
  );
}

/**
 * Pairs from `facts[first]` on, around the end of the list if need be, until `tokens` are full. At each depth
 * `perDepth` neighbours are asked for. Undefined where there are too few pairs to fill the context.
 */
export function keyValueContext(
  facts: readonly Fact[],
  { first, tokens, perDepth }: { readonly first: number; readonly tokens: number; readonly perDepth: number },
  tokenizer: Tokenizer,
): Context | undefined {
  const ids = tokenizer.startToken === undefined ? [] : [tokenizer.startToken];
  const lines: { fact: Fact; start: number }[] = [];
  for (let i = 0; ; ++i) {
    const fact = facts[(first + i) % facts.length];
    if (ids.length + fact.ids.length > tokens) break;
    if (i === facts.length) return undefined;
    lines.push({ fact, start: ids.length });
    ids.push(...fact.ids);
  }
  if (lines.length < DEPTHS * perDepth) return undefined;
  const placed = Array.from({ length: DEPTHS * perDepth }, (_, k) => {
    const depth = Math.floor(k / perDepth);
    const index = Math.round((depth / (DEPTHS - 1)) * (lines.length - perDepth)) + (k % perDepth);
    return { ...lines[index], depth };
  });
  return contextOf({ task: "key-value", facts: lines.length }, ids, placed, tokenizer);
}

/**
 * The last tokens of a text with one fact at each depth, at the nearest line break where there is one close by.
 * The text ends the context, so that contexts of all lengths end alike.
 */
export function needleContext(
  text: Int32Array,
  facts: readonly Fact[],
  { tokens, lineBreaks }: { readonly tokens: number; readonly lineBreaks: (id: number) => boolean },
  tokenizer: Tokenizer,
): Context | undefined {
  const start = tokenizer.startToken === undefined ? [] : [tokenizer.startToken];
  const needles = facts.slice(0, DEPTHS);
  const room = tokens - start.length - needles.reduce((sum, { ids }) => sum + ids.length, 0);
  if (room < DEPTHS || text.length < room || needles.length < DEPTHS) return undefined;
  const hay = text.subarray(text.length - room);
  const ids = [...start];
  const placed: Placed[] = [];
  let from = 0;
  needles.forEach((fact, depth) => {
    const until = Math.max(from, nearestBreak(hay, Math.round((depth / (DEPTHS - 1)) * room), lineBreaks));
    ids.push(...hay.subarray(from, until));
    placed.push({ fact, start: ids.length, depth });
    ids.push(...fact.ids);
    from = until;
  });
  ids.push(...hay.subarray(from));
  return contextOf({ task: "needles", facts: placed.length }, ids, placed, tokenizer);
}

/** The place after a line break that is nearest to `wanted`; `wanted` itself where none is close. */
function nearestBreak(ids: Int32Array, wanted: number, lineBreaks: (id: number) => boolean): number {
  const close = 24 + 0.06 * ids.length;
  const near = Math.min(wanted, ids.length - wanted);
  for (let away = 0; away <= Math.min(close, Math.max(near, 0)); ++away) {
    for (const at of [wanted - away, wanted + away]) if (at === 0 || lineBreaks(ids[at - 1])) return at;
  }
  return wanted;
}

/** What retrieval needs of a forward pass: losses, and the attention that finds the answer. */
export function requestFor({ prompt, questions, answers }: Context): Request {
  const target = new Int32Array(prompt.ids.length).fill(-1); // [tokens]
  questions.forEach(({ answer }, i) => {
    target[answer - 1] = answers[i];
  });
  return { targets: [target], logits: "loss" };
}

/**
 * Running text in windows: all texts of the file joined by the start token, or by a blank line where there is none.
 * @throws UserError that names line and field of the first record that does not serve
 */
export function windowsOf(
  records: readonly unknown[],
  tokens: number,
  count: number,
  tokenizer: Tokenizer,
): Int32Array[] {
  const texts = records.map((record, i) => {
    const text = (record as Readonly<Record<string, unknown>>).text;
    if (typeof text === "string" && text !== "") return text;
    throw new UserError(`Prompts "haystack", line ${i + 1}: field "text" must be a text that is not empty.`);
  });
  const windows: Int32Array[] = [];
  let window: number[] = [];
  for (const text of texts) {
    const separator = tokenizer.startToken === undefined ? tokenizer.encode("\n\n") : [tokenizer.startToken];
    window.push(...tokenizer.encode(text), ...separator);
    if (window.length < tokens) continue;
    windows.push(Int32Array.from(window.slice(0, tokens)));
    if (windows.length === count) break;
    window = [];
  }
  return windows;
}
