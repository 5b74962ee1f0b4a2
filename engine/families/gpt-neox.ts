/** GPT-NeoX and Pythia (Black et al. 2022, https://arxiv.org/abs/2204.06745; transformers `GPTNeoXForCausalLM`). */
import type { Architecture, Block, Family } from "../architecture.js";
import { readRope } from "../rope.js";
import { evenHeads, ignoresBuffers, layerNorm, linear, perLayer } from "./parts.js";

export const gptNeox: Family = {
  modelType: "gpt_neox",
  optionalPrefix: "gpt_neox.",
  ignores: ignoresBuffers,

  describe(config): Architecture {
    const width = config.count("hidden_size");
    const layers = config.few("num_hidden_layers");
    const heads = config.few("num_attention_heads");
    const inner = config.count("intermediate_size");
    const vocabulary = config.count("vocab_size");
    const contextLength = config.count("max_position_embeddings", 2048);
    const headSize = evenHeads(config, width, heads);
    const epsilon = config.number("layer_norm_eps", 1e-5);
    const bias = config.flag("attention_bias", true);
    const parallel = config.flag("use_parallel_residual", true);
    const base = config.number("rotary_emb_base", 10_000);
    const partial = config.number("rotary_pct", 0.25);
    // Written beside them by some versions of transformers, and not read by others.
    config.only("rope_theta", base);
    config.only("partial_rotary_factor", partial);
    const norm = (name: string) => layerNorm(name, width, epsilon);
    const block = (layer: number): Block => {
      const at = `gpt_neox.layers.${layer}`;
      return {
        attentionNorms: { input: norm(`${at}.input_layernorm`) },
        attention: {
          projection: { fused: linear(`${at}.attention.query_key_value`, width, 3 * width, bias), order: "grouped" },
          rope: 0,
          scale: headSize ** -0.5,
          output: linear(`${at}.attention.dense`, width, width, bias),
        },
        mlpNorms: { input: norm(`${at}.post_attention_layernorm`) },
        mlp: {
          up: linear(`${at}.mlp.dense_h_to_4h`, width, inner, true),
          down: linear(`${at}.mlp.dense_4h_to_h`, inner, width, true),
        },
        parallel,
      };
    };
    const embedding = "gpt_neox.embed_in";
    const tied = config.flag("tie_word_embeddings", false);
    return {
      family: "gpt_neox",
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      width,
      vocabulary,
      contextLength,
      positions: { kind: "rope", ropes: [readRope(config, { headSize, contextLength, base, partial })] },
      embedding: { weight: `${embedding}.weight` },
      activation: config.activation("hidden_act", "gelu"),
      blocks: perLayer(layers, block),
      finalNorm: norm("gpt_neox.final_layer_norm"),
      head: { linear: linear(tied ? embedding : "embed_out", width, vocabulary) },
      initializer: { deviation: config.number("initializer_range", 0.02), exceptions: new Map() },
    };
  },
};
