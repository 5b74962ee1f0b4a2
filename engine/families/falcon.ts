/**
 * Falcon (Almazrouei et al. 2023, https://arxiv.org/abs/2311.16867; transformers `FalconForCausalLM`): 7B with one
 * key–value head and one norm for attention and MLP, 40B and 180B with groups and two norms, RW with ALiBi.
 */
import type { Block, Family, Positions } from "../architecture.js";
import type { Config } from "../config.js";
import { UserError } from "../errors.js";
import { readRope } from "../rope.js";
import {
  alibiSlopes,
  checkGroups,
  evenHeads,
  ignoresBuffers,
  layerNorm,
  linear,
  outputLayer,
  perLayer,
} from "./parts.js";

export const falcon: Family = {
  modelType: "falcon",
  optionalPrefix: "transformer.",
  ignores: ignoresBuffers,

  describe(config) {
    const width = config.count(["n_embed", "hidden_size"]);
    const layers = config.few(["num_hidden_layers", "n_layer"]);
    const heads = config.few(["num_attention_heads", "n_head"]);
    const inner = config.count("ffn_hidden_size", 4 * width);
    const vocabulary = config.count("vocab_size");
    const contextLength = config.count("max_position_embeddings", 2048);
    const headSize = evenHeads(config, width, heads);
    const epsilon = config.number("layer_norm_epsilon", 1e-5);
    config.only("apply_residual_connection_post_layernorm", false);
    config.raw("ff_factor"); // written, and not used, beside ffn_hidden_size
    const bias = config.flag("bias", false);
    const { keyValueHeads, grouped, parallel, norms } = variant(config, heads);
    for (const key of ["rope_parameters", "rope_theta"]) config.raw(key); // written, and not used, beside ALiBi too
    const positions: Positions = config.flag("alibi", false)
      ? // transformers computes the biases in bfloat16, whatever the precision of the model.
        { kind: "alibi", slopes: alibiSlopes(heads), factor: headSize ** -0.5, rounded: true }
      : { kind: "rope", ropes: [readRope(config, { headSize, contextLength })] };
    const norm = (name: string) => layerNorm(name, width, epsilon);
    const block = (layer: number): Block => {
      const at = `transformer.h.${layer}`;
      const first = { input: norm(`${at}.${norms[0]}`) };
      return {
        attentionNorms: first,
        attention: {
          projection: {
            fused: linear(`${at}.self_attention.query_key_value`, width, (heads + 2 * keyValueHeads) * headSize, bias),
            order: grouped ? "grouped" : "joined",
          },
          rope: positions.kind === "rope" ? 0 : undefined,
          scale: headSize ** -0.5,
          output: linear(`${at}.self_attention.dense`, width, width, bias),
        },
        parallel,
        mlpNorms: norms[0] === norms[1] ? first : { input: norm(`${at}.${norms[1]}`) },
        mlp: {
          up: linear(`${at}.mlp.dense_h_to_4h`, width, inner, bias),
          down: linear(`${at}.mlp.dense_4h_to_h`, inner, width, bias),
        },
      };
    };
    const embedding = "transformer.word_embeddings";
    return {
      family: "falcon",
      layers,
      heads,
      keyValueHeads,
      headSize,
      width,
      vocabulary,
      contextLength,
      positions,
      embedding: { weight: `${embedding}.weight` },
      activation: config.activation("activation", "gelu"),
      blocks: perLayer(layers, block),
      finalNorm: norm("transformer.ln_f"),
      head: { linear: outputLayer(config.flag("tie_word_embeddings", true), embedding, width, vocabulary) },
      initializer: { deviation: config.number("initializer_range", 0.02), exceptions: new Map() },
    };
  },
};

interface Variant {
  readonly keyValueHeads: number;
  readonly grouped: boolean;
  readonly parallel: boolean;
  /** Names of the norms of attention and of the MLP. */
  readonly norms: readonly [attention: string, mlp: string];
}

function variant(config: Config, heads: number): Variant {
  const parallel = config.flag("parallel_attn", true);
  const one = config.flag("multi_query", true);
  const given = config.few("num_kv_heads", heads);
  const newer = config.flag("new_decoder_architecture", false);
  const separate = config.whole("num_ln_in_parallel_attn", newer ? 2 : 1) === 2;
  if (newer && !parallel) {
    throw new UserError(`${config.where}: new_decoder_architecture needs parallel_attn = true.`);
  }
  if (newer) checkGroups(config, heads, given);
  else if (!one && given !== heads) {
    throw new UserError(
      `${config.where}: num_kv_heads must be ${heads}, as many as heads, where multi_query is false.`,
    );
  }
  if (!newer && parallel && separate) {
    throw new UserError(`${config.where}: num_ln_in_parallel_attn = 2 needs new_decoder_architecture = true.`);
  }
  const keyValueHeads = newer ? given : one ? 1 : heads;
  const grouped = newer || !one;
  if (!parallel) return { keyValueHeads, grouped, parallel, norms: ["input_layernorm", "post_attention_layernorm"] };
  const norms = separate ? (["ln_attn", "ln_mlp"] as const) : (["input_layernorm", "input_layernorm"] as const);
  return { keyValueHeads, grouped, parallel, norms };
}
