/** Lists of facts with questions after them, as many documents as key–value lines: a test of reading from the context. */
import { UserError } from "../../engine/errors.js";
import { Random } from "../../engine/random.js";
import type { Tokenizer } from "../../engine/tokenizer.js";
import { arrange, type ListPrompt, listPrompt } from "./list-prompt.js";
import { factLists } from "./records.js";

export interface Lists {
  /** Lists of each format. */
  readonly lists: number;
  /** Items of a list, and how many of them are asked for. */
  readonly items: number;
  readonly questions: number;
  readonly seed: number;
}

/** @throws UserError where fewer than two records are long enough */
export function questionedLists(
  records: readonly unknown[],
  tokenizer: Tokenizer,
  { lists, items: count, questions, seed }: Lists,
): ListPrompt[] {
  const random = new Random(seed);
  const all = factLists(records, "records");
  const prompts = (["documents", "key-value"] as const).flatMap((format) => {
    const built = all
      .filter((list) => list.format === format)
      .map((list, turn) => arrange(list, { count, questions, turn }, random))
      .filter((arrangement) => arrangement !== undefined);
    return built.slice(0, lists).map((arrangement) => listPrompt(arrangement, tokenizer));
  });
  if (prompts.length >= 2) return prompts;
  throw new UserError(
    `Prompts "records" hold ${prompts.length} list(s) of at least ${count} items: an interval needs at least 2.`,
  );
}
