/** MPT (MosaicML 2023, https://www.databricks.com/blog/mpt-7b; transformers `MptForCausalLM`). */
import type { Block, Family, Norm } from "../architecture.js";
import { Config } from "../config.js";
import { UserError } from "../errors.js";
import { evenHeads, ignoresBuffers, layerNorm, linear, outputLayer, perLayer } from "./parts.js";

export const mpt: Family = {
  modelType: "mpt",
  optionalPrefix: "transformer.",
  ignores: ignoresBuffers,

  describe(config) {
    const width = config.count(["d_model", "hidden_size"]);
    const layers = config.few(["n_layers", "num_hidden_layers"]);
    const heads = config.few(["n_heads", "num_attention_heads"]);
    const vocabulary = config.count("vocab_size");
    const headSize = evenHeads(config, width, heads);
    const epsilon = config.number("layer_norm_epsilon", 1e-5);
    config.only("no_bias", true);
    config.only("logit_scale", null);
    config.oneOf("norm_type", ["low_precision_layernorm", "layernorm"], "low_precision_layernorm");
    config.flag("learned_pos_emb", true); // of no effect where there is ALiBi, as there must be
    config.count("expansion_ratio", 4); // transformers always takes 4; the shapes of the weights tell
    const attention = config.table("attn_config") ?? new Config({}, config.where);
    attention.oneOf("attn_type", ["multihead_attention"], "multihead_attention");
    attention.oneOf("attn_impl", ["torch", "flash", "triton", "eager", "sdpa"], "torch");
    attention.only("alibi", true);
    for (const key of ["prefix_lm", "qk_ln"]) attention.only(key, false);
    attention.flag("attn_uses_sequence_id", false); // of no effect on one sequence
    const clip = attention.optionalNumber("clip_qkv");
    const scale = attention.optionalNumber("softmax_scale") ?? headSize ** -0.5;
    const steepest = attention.count("alibi_bias_max", 8);
    attention.finish();
    const contextLength = config.count("max_seq_len", 2048);
    if (steepest !== 8)
      throw new UserError(`${config.where}: alibi_bias_max is ${steepest}, but transformers runs only 8.`);
    const norm = (name: string): Norm => layerNorm(name, width, epsilon, false);
    const block = (layer: number): Block => {
      const at = `transformer.blocks.${layer}`;
      return {
        attentionNorms: { input: norm(`${at}.norm_1`) },
        attention: {
          projection: { fused: linear(`${at}.attn.Wqkv`, width, 3 * width), order: "joined" },
          clip,
          scale,
          output: linear(`${at}.attn.out_proj`, width, width),
        },
        mlpNorms: { input: norm(`${at}.norm_2`) },
        mlp: {
          up: linear(`${at}.ffn.up_proj`, width, 4 * width),
          down: linear(`${at}.ffn.down_proj`, 4 * width, width),
        },
      };
    };
    const embedding = "transformer.wte";
    return {
      family: "mpt",
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      width,
      vocabulary,
      contextLength,
      positions: { kind: "alibi", slopes: mptSlopes(heads), factor: 1, rounded: false },
      embedding: { weight: `${embedding}.weight` },
      activation: "gelu",
      blocks: perLayer(layers, block),
      finalNorm: norm("transformer.norm_f"),
      head: { linear: outputLayer(config.flag("tie_word_embeddings", true), embedding, width, vocabulary) },
      initializer: { deviation: config.number("initializer_range", 0.02), exceptions: new Map() },
    };
  },
};

/** Powers of 2^(−8/n) for the next power of two n; where that is more than heads, every other one first. */
function mptSlopes(heads: number): number[] {
  const whole = 2 ** Math.ceil(Math.log2(heads));
  const slopes = perLayer(whole, (i) => 2 ** (-(8 / whole) * (i + 1)));
  if (whole === heads) return slopes;
  const every = (start: number) => slopes.filter((_, i) => i % 2 === start);
  return [...every(1), ...every(0)].slice(0, heads);
}
