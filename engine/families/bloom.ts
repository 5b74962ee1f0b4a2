/** BLOOM (Le Scao et al. 2022, https://arxiv.org/abs/2211.05100; transformers `BloomForCausalLM`). */
import type { Block, Family } from "../architecture.js";
import { alibiSlopes, evenHeads, ignoresBuffers, layerNorm, linear, outputLayer, perLayer } from "./parts.js";

export const bloom: Family = {
  modelType: "bloom",
  optionalPrefix: "transformer.",
  ignores: ignoresBuffers,

  describe(config) {
    const width = config.count(["n_embed", "hidden_size"]);
    const layers = config.few(["n_layer", "num_hidden_layers"]);
    const heads = config.few(["n_head", "num_attention_heads"]);
    const vocabulary = config.count("vocab_size");
    const headSize = evenHeads(config, width, heads);
    const epsilon = config.number("layer_norm_epsilon", 1e-5);
    config.only("n_inner", 4 * width);
    const normed = config.flag("apply_residual_connection_post_layernorm", false);
    const norm = (name: string) => layerNorm(name, width, epsilon);
    const block = (layer: number): Block => {
      const at = `transformer.h.${layer}`;
      return {
        attentionNorms: { input: norm(`${at}.input_layernorm`) },
        attention: {
          projection: {
            fused: linear(`${at}.self_attention.query_key_value`, width, 3 * width, true),
            order: "grouped",
          },
          scale: headSize ** -0.5,
          output: linear(`${at}.self_attention.dense`, width, width, true),
        },
        mlpNorms: { input: norm(`${at}.post_attention_layernorm`) },
        mlp: {
          up: linear(`${at}.mlp.dense_h_to_4h`, width, 4 * width, true),
          down: linear(`${at}.mlp.dense_4h_to_h`, 4 * width, width, true),
        },
        normedResidual: normed,
      };
    };
    const embedding = "transformer.word_embeddings";
    return {
      family: "bloom",
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      width,
      vocabulary,
      contextLength: 2048, // trained on; config.json does not say it
      positions: { kind: "alibi", slopes: alibiSlopes(heads), factor: 1, rounded: false },
      embedding: { weight: `${embedding}.weight`, norm: norm("transformer.word_embeddings_layernorm") },
      activation: "gelu_tanh",
      blocks: perLayer(layers, block),
      finalNorm: norm("transformer.ln_f"),
      head: { linear: outputLayer(config.flag("tie_word_embeddings", true), embedding, width, vocabulary) },
      initializer: { deviation: config.number("initializer_range", 0.02), exceptions: new Map() },
    };
  },
};
