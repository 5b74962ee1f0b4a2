/** A checkpoint's config.json, read key by key, so that what nobody read can be refused. */
import { UserError } from "./errors.js";

/** Keys that change no number in a forward pass: bookkeeping, training, and text generation. */
const inert = new Set(
  `_name_or_path _attn_implementation architectures auto_map transformers_version torch_dtype dtype model_type use_cache
  bos_token_id eos_token_id pad_token_id sep_token_id cls_token_id mask_token_id unk_token_id decoder_start_token_id
  attention_dropout hidden_dropout embd_pdrop attn_pdrop resid_pdrop summary_activation summary_first_dropout
  summary_proj_to_labels summary_type summary_use_proj task_specific_params output_attentions output_hidden_states
  return_dict return_dict_in_generate id2label label2id problem_type finetuning_task tokenizer_class prefix
  gradient_checkpointing initializer_range temperature top_k top_p typical_p do_sample num_beams max_length min_length
  length_penalty repetition_penalty no_repeat_ngram_size early_stopping num_return_sequences`.split(/\s+/),
);

export class Config {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #read = new Set<string>();

  /** @param where what messages call it: the path of the file, or of a table inside it */
  constructor(
    values: Readonly<Record<string, unknown>>,
    readonly where: string,
  ) {
    this.#values = values;
  }

  /** The first of these keys that the config has: libraries renamed some over the years. */
  #get(...keys: string[]): unknown {
    for (const key of keys) this.#read.add(key);
    const key = keys.find((name) => this.#values[name] !== undefined && this.#values[name] !== null);
    return key === undefined ? undefined : this.#values[key];
  }

  #checked<T>(
    keys: string | readonly string[],
    fallback: T | undefined,
    wanted: string,
    holds: (value: unknown) => value is T,
  ): T {
    const names = typeof keys === "string" ? [keys] : keys;
    const value = this.#get(...names) ?? fallback;
    if (value === undefined) throw new UserError(`${this.where} lacks ${names[0]}, ${wanted}.`);
    if (!holds(value))
      throw new UserError(`${this.where}: ${names[0]} is ${JSON.stringify(value)}, but must be ${wanted}.`);
    return value;
  }

  /** A whole number of at least 1. */
  count(keys: string | readonly string[], fallback?: number): number {
    return this.#checked(
      keys,
      fallback,
      "a whole number of at least 1",
      (v): v is number => Number.isSafeInteger(v) && (v as number) >= 1,
    );
  }

  number(keys: string | readonly string[], fallback?: number): number {
    return this.#checked(
      keys,
      fallback,
      "a positive number",
      (v): v is number => Number.isFinite(v) && (v as number) > 0,
    );
  }

  flag(key: string, fallback: boolean): boolean {
    return this.#checked(key, fallback, "true or false", (v): v is boolean => typeof v === "boolean");
  }

  oneOf<const T extends string>(keys: string | readonly string[], allowed: readonly T[], fallback?: T): T {
    const wanted = `one of ${allowed.map((name) => JSON.stringify(name)).join(", ")}`;
    return this.#checked(keys, fallback, wanted, (v): v is T => allowed.some((name) => name === v));
  }

  /** A token id below `vocabulary`, or undefined where the config names none. */
  token(key: string, vocabulary: number): number | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    const isToken = Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < vocabulary;
    if (!isToken)
      throw new UserError(
        `${this.where}: ${key} is ${JSON.stringify(value)}, but must be a token id below ${vocabulary}.`,
      );
    return value as number;
  }

  /** A table inside the config. */
  table(...keys: string[]): Config | undefined {
    const value = this.#get(...keys);
    if (value === undefined) return undefined;
    if (typeof value !== "object" || Array.isArray(value))
      throw new UserError(`${this.where}: ${keys[0]} must be a table.`);
    return new Config(value as Record<string, unknown>, `${this.where}: ${keys[0]}`);
  }

  /** Refuses, by name, a key that nobody read and that could change numbers. */
  finish(): void {
    for (const [key, value] of Object.entries(this.#values)) {
      if (this.#read.has(key) || inert.has(key) || value === null) continue;
      throw new UserError(
        `${this.where}: ${key} = ${JSON.stringify(value)} is not understood and could change the numbers.`,
      );
    }
  }
}
