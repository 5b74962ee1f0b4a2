/** A checkpoint's tokenizer: texts to token ids and back. */
import { Tokenizer as Encoder } from "@huggingface/tokenizers";
import { readConfig } from "./checkpoint.js";
import { UserError } from "./errors.js";
import { isRecord, type Json, parseJson, readWhole } from "./json.js";
import type { ByteSource } from "./source.js";

export class Tokenizer {
  readonly #encoder: Encoder;

  constructor(
    encoder: Encoder,
    /** Number of ids that the model knows, added tokens included. */
    readonly vocabulary: number,
    /** The token that stood before every training text, where there was one. */
    readonly startToken: number | undefined,
  ) {
    this.#encoder = encoder;
  }

  /** The ids of a text, and nothing before or after them. */
  encode(text: string): Int32Array {
    return Int32Array.from(this.#encoder.encode(text, { add_special_tokens: false }).ids);
  }

  /** The ids of a text as a model wants to see it: the start token first, where it was trained with one. */
  prompt(text: string): Int32Array {
    const ids = this.encode(text);
    return this.startToken === undefined ? ids : Int32Array.of(this.startToken, ...ids);
  }

  decode(ids: ArrayLike<number>): string {
    return ids.length === 0
      ? ""
      : this.#encoder.decode(Array.from(ids), { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }

  /** The text of one token; bytes that are no text of their own appear as �. */
  token(id: number): string {
    return this.decode([id]);
  }
}

/**
 * Reads tokenizer.json, and tokenizer_config.json where there is one.
 * @throws {UserError} where it is missing, broken, or knows more tokens than the model
 */
export async function openTokenizer(source: ByteSource): Promise<Tokenizer> {
  const { architecture } = await readConfig(source);
  const bytes = await readWhole(source, "tokenizer.json");
  if (!bytes) throw new UserError(`${source.name} has no tokenizer.json, so its model cannot be given text.`);
  const where = `${source.name}/tokenizer.json`;
  const settingsBytes = await readWhole(source, "tokenizer_config.json");
  const settings = settingsBytes ? parseJson(settingsBytes, `${source.name}/tokenizer_config.json`) : {};
  const encoder = build(parseJson(bytes, where), settings, where);
  // Added tokens may go beyond what the model knows: Gemma 3 1B has the image token of its larger siblings.
  const own = countIds(encoder.get_vocab(false));
  if (own > architecture.vocabulary) {
    throw new UserError(
      `${where} has ids up to ${own - 1}, but the model knows only ${architecture.vocabulary}: it belongs to another model.`,
    );
  }
  const vocabulary = Math.min(countIds(encoder.get_vocab(true)), architecture.vocabulary);
  const startToken = startTokenOf(encoder, settings, architecture.startToken);
  if (startToken !== undefined && startToken >= architecture.vocabulary) {
    throw new UserError(
      `${source.name} has texts begin with token ${startToken}, but the model knows only ${architecture.vocabulary}.`,
    );
  }
  return new Tokenizer(encoder, vocabulary, startToken);
}

const countIds = (ids: ReadonlyMap<string, number>): number =>
  [...ids.values()].reduce((count, id) => Math.max(count, id + 1), 0);

function build(tokenizer: Json, settings: Json, where: string): Encoder {
  try {
    return new Encoder(tokenizer, settings);
  } catch (error) {
    throw new UserError(`${where} cannot be used: ${error instanceof Error ? error.message : error}.`);
  }
}

/** tokenizer_config.json decides where it says so; otherwise the family does, unless its tokenizer is GPT-2's, which adds none. */
function startTokenOf(encoder: Encoder, settings: Json, ofFamily: number | undefined): number | undefined {
  if (settings.add_bos_token === false) return undefined;
  if (settings.add_bos_token !== true) return isOfGpt2(settings) ? undefined : ofFamily;
  const token = isRecord(settings.bos_token) ? settings.bos_token.content : settings.bos_token;
  return (typeof token === "string" ? encoder.token_to_id(token) : undefined) ?? ofFamily;
}

/** As SmolLM2 has it, a Llama whose training texts had no start token. */
const isOfGpt2 = ({ tokenizer_class: name }: Json): boolean => name === "GPT2Tokenizer" || name === "GPT2TokenizerFast";
