/** A list of items with questions after it: which items, in which order, with or without their delimiters. */
import type { Random } from "../../engine/random.js";
import type { Tokenizer } from "../../engine/tokenizer.js";
import { askAll, type Questionnaire } from "./questions.js";
import { asking, delimited, type FactList, type Format, type Item, isAsked } from "./records.js";

export interface Arrangement {
  readonly format: Format;
  readonly items: readonly Item[];
  /** Positions (from 0) of the items that are asked for. */
  readonly asked: readonly number[];
}

/**
 * `count` items of a record in random order. The asked positions are spread evenly over the list and move on by one
 * with each `turn`, so that over the records every position is asked equally often. Undefined where the record is too short.
 */
export function arrange(
  { format, items }: FactList,
  { count, questions, turn }: { readonly count: number; readonly questions: number; readonly turn: number },
  random: Random,
): Arrangement | undefined {
  if (items.length < count) return undefined;
  const pool = random.shuffle(items);
  const tested = pool.filter(isAsked).slice(0, Math.min(questions, count));
  const asked = tested.map((_, k) => (turn + Math.floor((k * count) / tested.length)) % count);
  const rest = pool.filter((item) => !tested.some((other) => other === item)).values();
  const order = Array.from({ length: count }, (_, position) => {
    const k = asked.indexOf(position);
    return k >= 0 ? tested[k] : (rest.next().value as Item);
  });
  return { format, items: order, asked };
}

export interface ListPrompt extends Questionnaire {
  /** Tokens of each item, its delimiters included. */
  readonly spans: readonly { readonly first: number; readonly end: number }[];
}

export function listPrompt(
  { format, items, asked }: Arrangement,
  tokenizer: Tokenizer,
  { delimiters = true }: { readonly delimiters?: boolean } = {},
): ListPrompt {
  const ids = tokenizer.startToken === undefined ? [] : [tokenizer.startToken];
  const spans = items.map(({ text }, i) => {
    const first = ids.length;
    ids.push(...tokenizer.encode(delimiters ? delimited(format, text, i + 1) : ` ${text}`));
    return { first, end: ids.length };
  });
  const questions = asked.map((position) => {
    const item = items[position];
    if (!isAsked(item)) throw new Error(`Position ${position} is asked for but has no question.`);
    return { text: asking(format, item.question), answer: item.answer };
  });
  return { ...askAll(Int32Array.from(ids), questions, tokenizer), spans };
}
