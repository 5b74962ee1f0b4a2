/** Lists of key–value pairs with questions after them, at distances that are spread over the whole list. */
import { UserError } from "../../../engine/errors.js";
import type { Tokenizer } from "../../../engine/tokenizer.js";
import { askAll, type Questionnaire } from "../../analysis/questions.js";
import { asking, type FactList } from "../../analysis/records.js";
import { type Fact, factsOf } from "../positional-bias/contexts.js";

export interface List extends Questionnaire {
  /** Tokens from the answer in the list to the token that has to predict it, for each question. */
  readonly distances: readonly number[];
}

export interface Sizes {
  readonly lists: number;
  /** Tokens of a list, at most. */
  readonly tokens: number;
  readonly questions: number;
  /** No pair is asked for whose answer is closer to the end of its list than this. */
  readonly nearest: number;
}

/**
 * Every list begins elsewhere among the pairs, and asks for others.
 * @throws UserError where the pairs do not fill a list, or a list holds fewer pairs than are asked for
 */
export function listsOf(records: readonly FactList[], sizes: Sizes, tokenizer: Tokenizer): List[] {
  const facts = factsOf(records, "key-value", tokenizer).flat();
  return Array.from({ length: sizes.lists }, (_, turn) => listOf(facts, turn, sizes, tokenizer));
}

function listOf(
  facts: readonly Fact[],
  turn: number,
  { lists, tokens, questions, nearest }: Sizes,
  tokenizer: Tokenizer,
): List {
  const ids = tokenizer.startToken === undefined ? [] : [tokenizer.startToken];
  const lines: { fact: Fact; answer: number }[] = [];
  for (let i = 0; i < facts.length; ++i) {
    const fact = facts[(Math.floor((turn * facts.length) / lists) + i) % facts.length];
    if (ids.length + fact.ids.length > tokens) break;
    lines.push({ fact, answer: ids.length + fact.answer });
    ids.push(...fact.ids);
  }
  const far = lines.filter(({ answer }) => ids.length - answer >= nearest);
  if (lines.length === facts.length || far.length < questions) {
    throw new UserError(
      `attention-buckets asks for ${questions} pairs at ${nearest} tokens or more in lists of ${tokens}, but the prompts give ${far.length} of ${lines.length}; give more key–value pairs, or lower questions, nearest or tokens.`,
    );
  }
  const asked = Array.from(
    { length: questions },
    (_, k) => far[Math.floor(((k + (turn + 0.5) / lists) * far.length) / questions)],
  );
  const questionnaire = askAll(
    Int32Array.from(ids),
    asked.map(({ fact: { item } }) => ({ text: asking("key-value", item.question), answer: item.answer })),
    tokenizer,
  );
  const { prompt } = questionnaire;
  return {
    ...questionnaire,
    distances: questionnaire.questions.map(({ answer }, k) => {
      return (prompt.positions?.[answer - 1] ?? answer - 1) - asked[k].answer;
    }),
  };
}
