/** GPT-J (Wang & Komatsuzaki 2021, https://github.com/kingoflolz/mesh-transformer-jax; transformers `GPTJForCausalLM`). */
import type { Block, Family } from "../architecture.js";
import { UserError } from "../errors.js";
import { plainFrequencies } from "../rope.js";
import { evenHeads, ignoresBuffers, layerNorm, linear, outputLayer, perLayer } from "./parts.js";

export const gptj: Family = {
  modelType: "gptj",
  optionalPrefix: "transformer.",
  ignores: ignoresBuffers,

  describe(config) {
    const width = config.count(["n_embd", "hidden_size"]);
    const layers = config.few(["n_layer", "num_hidden_layers"]);
    const heads = config.few(["n_head", "num_attention_heads"]);
    const inner = config.count("n_inner", 4 * width);
    const vocabulary = config.count("vocab_size");
    const contextLength = config.count(["n_positions", "max_position_embeddings"], 2048);
    const headSize = evenHeads(config, width, heads);
    const epsilon = config.number("layer_norm_epsilon", 1e-5);
    config.only("rotary", true);
    config.only("scale_attn_weights", true);
    const rotated = config.nullableCount("rotary_dim", 64) ?? headSize;
    if (rotated % 2 !== 0 || rotated > headSize) {
      throw new UserError(`${config.where}: rotary_dim = ${rotated} must be even and at most the head's ${headSize}.`);
    }
    const frequencies = plainFrequencies(10_000, rotated);
    const block = (layer: number): Block => {
      const at = `transformer.h.${layer}`;
      const part = (name: string) => linear(`${at}.attn.${name}`, width, width);
      const norm = { input: layerNorm(`${at}.ln_1`, width, epsilon) };
      return {
        attentionNorms: norm,
        attention: {
          projection: { query: part("q_proj"), key: part("k_proj"), value: part("v_proj") },
          rope: 0,
          scale: headSize ** -0.5,
          output: part("out_proj"),
        },
        parallel: true,
        mlpNorms: norm,
        mlp: {
          up: linear(`${at}.mlp.fc_in`, width, inner, true),
          down: linear(`${at}.mlp.fc_out`, inner, width, true),
        },
      };
    };
    const embedding = "transformer.wte";
    return {
      family: "gptj",
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      width,
      vocabulary,
      contextLength,
      positions: { kind: "rope", ropes: [{ frequencies: () => frequencies, factor: 1, pairs: "neighbours" }] },
      embedding: { weight: `${embedding}.weight` },
      activation: config.activation("activation_function", "gelu_new"),
      blocks: perLayer(layers, block),
      finalNorm: layerNorm("transformer.ln_f", width, epsilon),
      head: { linear: outputLayer(config.flag("tie_word_embeddings", false), embedding, width, vocabulary, true) },
      initializer: { deviation: config.number("initializer_range", 0.02), exceptions: new Map() },
    };
  },
};
