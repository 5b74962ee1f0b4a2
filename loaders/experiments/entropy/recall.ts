/**
 * Recall through parallel encoding: a context of key–value lines, split between lines, then every key asked for once, in
 * random order. Each answer is given before the next question, so that one pass tells about all of them.
 */
import type { Forward } from "../../../engine/forward.js";
import { mean } from "../../../engine/interval.js";
import type { Random } from "../../../engine/random.js";
import type { Tokenizer } from "../../../engine/tokenizer.js";
import { delimited, type FactList, isAsked } from "../../analysis/records.js";

export interface Lookup {
  readonly id: string;
  readonly ids: Int32Array;
  readonly prefix: number;
  /** Tokens of each line of the context. */
  readonly lines: readonly number[];
  /** Tokens of each answer, counted from the block's first token. */
  readonly answers: readonly { readonly first: number; readonly end: number }[];
}

/** The first `pairs` pairs of each record that has as many. */
export function lookups(records: readonly FactList[], pairs: number, tokenizer: Tokenizer, random: Random): Lookup[] {
  const long = records
    .map(({ id, format, items }) => ({ id, format, items: items.filter(isAsked).slice(0, pairs) }))
    .filter(({ format, items }) => format === "key-value" && items.length === pairs);
  return long.map(({ id, items }) => {
    const prefix = tokenizer.startToken === undefined ? tokenizer.encode("\n") : [tokenizer.startToken];
    const lineOf = (text: string) => tokenizer.encode(delimited("key-value", text, 0));
    const lines = items.map(({ text }) => lineOf(text));
    const block: number[] = [...tokenizer.encode("\n")];
    const answers = random.shuffle(items).map(({ question, text }) => {
      const line = lineOf(text);
      const answer = { first: block.length + tokenizer.encode(question).length, end: block.length + line.length - 1 };
      block.push(...line);
      return answer; // without the end of its line
    });
    return {
      id,
      ids: Int32Array.of(...prefix, ...lines.flatMap((line) => [...line]), ...block),
      prefix: prefix.length,
      lines: lines.map(({ length }) => length),
      answers,
    };
  });
}

/** Lengths in tokens of pieces that hold so many whole lines each. */
export function linePieces(lines: readonly number[], perPiece: readonly number[]): number[] {
  let from = 0;
  return perPiece.map((n) => {
    from += n;
    return lines.slice(from - n, from).reduce((a, b) => a + b, 0);
  });
}

/** Share of the answers that are the most likely token by token, and their mean loss in nats per answer. */
export function recallOf({ logProbability, correct }: Forward, block: number, { answers }: Lookup) {
  if (!logProbability || !correct) throw new Error("Recall needs the loss.");
  const told = answers.map(({ first, end }) => ({
    right: Number(correct.subarray(block + first - 1, block + end - 1).every((right) => right === 1)),
    loss: -logProbability.subarray(block + first - 1, block + end - 1).reduce((sum, value) => sum + value, 0),
  }));
  return { accuracy: mean(told.map(({ right }) => right)), loss: mean(told.map(({ loss }) => loss)) };
}
