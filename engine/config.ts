/** A checkpoint's config.json, read key by key, so that what nobody read can be refused. */
import type { Activation } from "./architecture.js";
import { UserError } from "./errors.js";
import { isRecord, shown } from "./json.js";

/** Keys that change no number in a forward pass: bookkeeping, training, and text generation. */
const inert = new Set(
  `_name_or_path _attn_implementation architectures auto_map transformers_version torch_dtype dtype model_type use_cache
  bos_token_id eos_token_id pad_token_id sep_token_id cls_token_id mask_token_id unk_token_id decoder_start_token_id
  attention_dropout hidden_dropout embd_pdrop attn_pdrop resid_pdrop summary_activation summary_first_dropout
  summary_proj_to_labels summary_type summary_use_proj task_specific_params output_attentions output_hidden_states
  return_dict return_dict_in_generate id2label label2id problem_type finetuning_task tokenizer_class prefix
  gradient_checkpointing initializer_range init_std temperature top_k top_p typical_p do_sample num_beams max_length
  min_length length_penalty repetition_penalty no_repeat_ngram_size early_stopping num_return_sequences num_beam_groups
  diversity_penalty encoder_no_repeat_ngram_size bad_words_ids forced_bos_token_id forced_eos_token_id suppress_tokens
  begin_suppress_tokens exponential_decay_length_penalty remove_invalid_values output_scores torchscript use_bfloat16
  pruned_heads tie_encoder_decoder cross_attention_hidden_size tf_legacy_loss chunk_size_feed_forward cache_implementation
  embed_dropout resid_dropout classifier_dropout residual_dropout embedding_dropout activation_dropout dropout layerdrop
  emb_pdrop hidden_dropout_prob attention_probs_dropout_prob init_device init_config tokenizer_name verbose
  embedding_fraction router_aux_loss_coef output_router_logits initial_context_length is_llama_config
  attention_softmax_in_fp32 bias_dropout_fusion masked_softmax_fusion offset_alibi skip_bias_add skip_bias_add_qkv
  seq_length slow_but_exact is_decoder _num_labels num_labels pretraining_tp scale_attention_softmax_in_fp32 n_special
  predict_special_tokens output_past max_sequence_length model_max_length attn_implementation
  _attn_implementation_internal _attn_implementation_autoset transformers.js_config unsloth_version unsloth_fixed
  finetuned`.split(/\s+/),
);

/** Values with which keys of some families change no number in the others either. */
const neutral: Readonly<Record<string, unknown>> = {
  is_encoder_decoder: false,
  add_cross_attention: false,
  attention_bias: false,
  mlp_bias: false,
  qk_layernorm: false,
  rope_interleaved: false,
  use_mrope: false,
  use_sliding_window: false,
  partial_rotary_factor: 1,
};

/** Activation functions by the names that configs use. Different formulas of the same function stand together. */
const activations = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_accurate: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  quick_gelu: "gelu_sigmoid",
  relu: "relu",
  relu2: "relu_squared",
} as const satisfies Record<string, Activation>;

type ActivationName = keyof typeof activations;
const activationNames = Object.keys(activations) as ActivationName[];

/** What `few` allows. */
export const mostFew = 10_000;

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
    if (!holds(value)) throw new UserError(`${this.where}: ${names[0]} is ${shown(value)}, but must be ${wanted}.`);
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

  /** As count, for what models have few of: layers, heads, sizes of a head. Tables are made by them before any weight is looked for. */
  few(keys: string | readonly string[], fallback?: number): number {
    return this.#checked(
      keys,
      fallback,
      `a whole number from 1 to ${mostFew}`,
      (v): v is number => Number.isSafeInteger(v) && (v as number) >= 1 && (v as number) <= mostFew,
    );
  }

  /** A whole number of at least 0. */
  whole(key: string, fallback?: number): number {
    return this.#checked(
      key,
      fallback,
      "a whole number of at least 0",
      (v): v is number => Number.isSafeInteger(v) && (v as number) >= 0,
    );
  }

  /** A positive number. */
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

  /** As count, or undefined where the config has none. */
  optionalCount(key: string): number | undefined {
    return this.has(key) ? this.count(key) : undefined;
  }

  optionalNumber(key: string): number | undefined {
    return this.has(key) ? this.number(key) : undefined;
  }

  /** As `optionalNumber`, where a missing key means something else than null does. */
  nullableNumber(key: string, missing?: number): number | undefined {
    return key in this.#values ? this.optionalNumber(key) : missing;
  }

  nullableCount(key: string, missing?: number): number | undefined {
    return key in this.#values ? this.optionalCount(key) : missing;
  }

  /** Whether the config has the key, and with a value that is not null. */
  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  /** So many positive numbers. */
  numbers(key: string, length: number): readonly number[] {
    const wanted = `a list of ${length} positive numbers`;
    return this.#checked(
      key,
      undefined,
      wanted,
      (v): v is number[] => Array.isArray(v) && v.length === length && v.every((x) => Number.isFinite(x) && x > 0),
    );
  }

  /** A list with one of these values for each layer, or undefined where the config has none. */
  perLayer<const T extends string | number>(key: string, layers: number, allowed: readonly T[]): T[] | undefined {
    if (!this.has(key)) return undefined;
    const wanted = `a list of ${layers} values, each ${allowed.map((item) => JSON.stringify(item)).join(" or ")}`;
    return this.#checked(
      key,
      undefined,
      wanted,
      (v): v is T[] => Array.isArray(v) && v.length === layers && v.every((x) => allowed.includes(x)),
    );
  }

  /** The value of a key that the caller checks, or that is of no effect beside another. */
  raw(key: string): unknown {
    return this.#get(key);
  }

  /** Refuses any value but one, which is also what a missing key means. */
  only(key: string, value: string | number | boolean | null): void {
    const given = this.#get(key) ?? value;
    if (given !== value) {
      throw new UserError(`${this.where}: ${key} is ${shown(given)}, but only ${shown(value)} can be run.`);
    }
  }

  activation(keys: string | readonly string[], fallback?: ActivationName): Activation {
    return activations[this.oneOf(keys, activationNames, fallback)];
  }

  /** A token id, or undefined where the config names none. Configs name ids beyond the vocabulary, too. */
  token(key: string): number | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    const isToken = Number.isSafeInteger(value) && (value as number) >= 0;
    if (!isToken) throw new UserError(`${this.where}: ${key} is ${shown(value)}, but must be a token id.`);
    return value as number;
  }

  /** A table inside the config, or undefined where it has none, or an empty one. */
  table(...keys: string[]): Config | undefined {
    const value = this.#get(...keys);
    if (value === undefined) return undefined;
    if (!isRecord(value)) throw new UserError(`${this.where}: ${keys[0]} must be a table.`);
    return Object.keys(value).length === 0 ? undefined : new Config(value, `${this.where}: ${keys[0]}`);
  }

  /** Refuses, by name, a key that nobody read and that could change numbers. */
  finish(): void {
    for (const [key, value] of Object.entries(this.#values)) {
      if (this.#read.has(key) || inert.has(key) || value === null) continue;
      if (key in neutral && value === neutral[key]) continue;
      if (key === "quantization_config") {
        throw new UserError(`${this.where}: the weights are quantised, but only unquantised checkpoints can be run.`);
      }
      throw new UserError(`${this.where}: ${key} = ${shown(value)} is not understood and could change the numbers.`);
    }
  }
}
