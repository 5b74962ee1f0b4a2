/** The decoder that most families since Llama vary: its names of tensors, its config keys, its order of things. */
import type { Architecture, Block, Norm } from "../architecture.js";
import type { Config } from "../config.js";
import { type Rope, readRope } from "../rope.js";
import { checkGroups, evenHeads, layerNorm, linear, outputLayer, perLayer, rmsNorm } from "./parts.js";

export interface LlamaLike {
  readonly family: string;
  /** Size of a head where config.json does not give it; none: width / heads. */
  readonly headSize?: number;
  /** Whether config.json may set the size of a head apart from width / heads. */
  readonly ownHeadSize?: boolean;
  /** Default of num_key_value_heads; none: as many as heads. */
  readonly keyValueHeads?: number;
  readonly contextLength?: number;
  /** Default of original_max_position_embeddings, in families that give it outside the table of the rotary encoding. */
  readonly originalLength?: number;
  /** Default of tie_word_embeddings. */
  readonly tied?: boolean;
  readonly base?: number;
  readonly partial?: number;
  /** Rotary encodings; none: the one that `rope_parameters` or `rope_scaling` describe. */
  readonly ropes?: (config: Config, headSize: number, contextLength: number) => readonly Rope[];
  readonly norm?: "rms" | "layer";
  readonly epsilon?: readonly [key: string, fallback: number];
  /** Added to the scales of norms. */
  readonly offset?: number;
  readonly bias?: { readonly query?: boolean; readonly output?: boolean; readonly mlp?: boolean };
  readonly headBias?: boolean;
  readonly activation?: readonly [key: string, fallback: "silu" | "gelu_new" | "gelu_pytorch_tanh"];
  readonly finalNorm?: string;
  /** Whether training texts began with bos_token_id. */
  readonly start?: boolean;
}

/** Name of a block, before the names of its tensors. */
export const at = (layer: number): string => `model.layers.${layer}`;

export function llamaLike(config: Config, family: LlamaLike): Architecture {
  const width = config.count("hidden_size");
  const layers = config.few("num_hidden_layers");
  const heads = config.few("num_attention_heads");
  const keyValueHeads = config.nullableCount("num_key_value_heads", family.keyValueHeads) ?? heads;
  const { ownHeadSize = true, bias = {} } = family;
  const headSize = ownHeadSize
    ? config.few("head_dim", family.headSize ?? width / heads)
    : evenHeads(config, width, heads);
  const inner = config.count("intermediate_size");
  const vocabulary = config.count("vocab_size");
  const contextLength = config.count("max_position_embeddings", family.contextLength ?? 2048);
  checkGroups(config, heads, keyValueHeads);
  const epsilon = config.number(...(family.epsilon ?? (["rms_norm_eps", 1e-6] as const)));
  const norm = (name: string): Norm =>
    family.norm === "layer" ? layerNorm(name, width, epsilon) : rmsNorm(name, width, epsilon, family.offset);
  const block = (layer: number): Block => {
    const query = (name: string, count: number) =>
      linear(`${at(layer)}.self_attn.${name}`, width, count * headSize, bias.query);
    const mlp = (name: string, inputs: number, outputs: number) =>
      linear(`${at(layer)}.mlp.${name}`, inputs, outputs, bias.mlp);
    return {
      attentionNorms: { input: norm(`${at(layer)}.input_layernorm`) },
      attention: {
        projection: {
          query: query("q_proj", heads),
          key: query("k_proj", keyValueHeads),
          value: query("v_proj", keyValueHeads),
        },
        rope: 0,
        scale: headSize ** -0.5,
        output: linear(`${at(layer)}.self_attn.o_proj`, heads * headSize, width, bias.output),
      },
      mlpNorms: { input: norm(`${at(layer)}.post_attention_layernorm`) },
      mlp: {
        gate: mlp("gate_proj", width, inner),
        up: mlp("up_proj", width, inner),
        down: mlp("down_proj", inner, width),
      },
    };
  };
  const embedding = "model.embed_tokens";
  const tied = config.flag("tie_word_embeddings", family.tied ?? false);
  return {
    family: family.family,
    layers,
    heads,
    keyValueHeads,
    headSize,
    width,
    vocabulary,
    contextLength,
    positions: {
      kind: "rope",
      ropes: family.ropes?.(config, headSize, contextLength) ?? [
        readRope(config, {
          headSize,
          contextLength,
          base: family.base,
          partial: family.partial,
          original: family.originalLength,
        }),
      ],
    },
    startToken: family.start ? config.token("bos_token_id") : undefined,
    embedding: { weight: `${embedding}.weight` },
    activation: config.activation(...(family.activation ?? (["hidden_act", "silu"] as const))),
    blocks: perLayer(layers, block),
    finalNorm: norm(family.finalNorm ?? "model.norm"),
    head: { linear: outputLayer(tied, embedding, width, vocabulary, family.headBias) },
    initializer: { deviation: config.number("initializer_range", 0.02), exceptions: new Map() },
  };
}
