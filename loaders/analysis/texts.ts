/** Running text as prompts: what a record must hold, and how it is cut to the length that an experiment asks for. */
import { UserError } from "../../engine/errors.js";
import type { Model } from "../../engine/model.js";
import type { Random } from "../../engine/random.js";
import type { Tokenizer } from "../../engine/tokenizer.js";

/** One independent unit: the beginning of one text, in tokens. */
export interface Document {
  readonly id: string;
  readonly source: string;
  readonly ids: Int32Array; // [tokens], start token first where the model was trained with one
}

export interface Cut {
  /** At most this many records are used, from the top. */
  readonly documents: number;
  /** Length of every document, start token included. */
  readonly tokens: number;
  /** What messages call the input. */
  readonly input?: string;
}

const describe = (value: unknown) => (value === undefined ? "missing" : value === null ? "null" : `a ${typeof value}`);

/**
 * Documents of exactly `tokens` tokens, one per record. Everything is checked before any is used.
 * @throws UserError that names input, line and field of the first record that does not serve.
 */
export function documentsOf(
  records: readonly unknown[],
  tokenizer: Tokenizer,
  { architecture }: Pick<Model, "architecture">,
  { documents, tokens, input = "texts" }: Cut,
): Document[] {
  if (tokens > architecture.contextLength) {
    throw new UserError(
      `The prompts would be ${tokens} tokens long and this model takes ${architecture.contextLength}: lower the parameters that set the length.`,
    );
  }
  if (records.length < 2) {
    throw new UserError(`Prompts "${input}" hold ${records.length} record(s): an interval needs at least 2.`);
  }
  return records.slice(0, documents).map((record, i) => {
    const at = `Prompts "${input}", line ${i + 1}`;
    if (typeof record !== "object" || record === null || Array.isArray(record)) {
      throw new UserError(`${at}: a record must be an object {"id", "text"}.`);
    }
    const { id, text, source } = record as Readonly<Record<string, unknown>>;
    for (const [field, value] of Object.entries({ id, text })) {
      if (typeof value !== "string" || value === "") {
        throw new UserError(`${at}: field "${field}" is ${value === "" ? "empty" : describe(value)} and must be text.`);
      }
    }
    if (source !== undefined && typeof source !== "string") {
      throw new UserError(`${at}: field "source" is ${describe(source)} and must be text.`);
    }
    const ids = tokenizer.prompt(text as string);
    if (ids.length < tokens) {
      throw new UserError(
        `${at}: field "text" has ${ids.length} tokens and the experiment needs ${tokens}: give a longer text, or lower the parameters that set the length.`,
      );
    }
    return { id: id as string, source: source ?? "", ids: ids.slice(0, tokens) };
  });
}

/** The same tokens in random order, the first in its place: what is left of an effect when order means nothing. */
export function shuffled(ids: Int32Array, random: Random): Int32Array {
  return Int32Array.from([ids[0], ...random.shuffle([...ids.subarray(1)])]);
}
