/**
 * OPT (Zhang et al. 2022, https://arxiv.org/abs/2205.01068; transformers `OPTForCausalLM`). The 350M model differs: norms
 * stand after the additions, there is no final one, and embeddings are narrower than the stream.
 */
import type { Block, Family, Norm } from "../architecture.js";
import { evenHeads, ignoresBuffers, layerNorm, learned, linear, outputLayer, perLayer } from "./parts.js";

export const opt: Family = {
  modelType: "opt",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const width = config.count("hidden_size");
    const layers = config.few("num_hidden_layers");
    const heads = config.few("num_attention_heads");
    const inner = config.count("ffn_dim");
    const vocabulary = config.count("vocab_size");
    const embedded = config.count("word_embed_proj_dim", width);
    const headSize = evenHeads(config, width, heads);
    const before = config.flag("do_layer_norm_before", true);
    const bias = config.flag("enable_bias", true);
    const affine = config.flag("layer_norm_elementwise_affine", true);
    const removed = config.flag("_remove_final_layer_norm", false);
    const norm = (name: string): Norm =>
      affine ? layerNorm(name, width, 1e-5) : { kind: "layer", epsilon: 1e-5, size: width };
    const norms = (name: string) => (before ? { input: norm(name) } : { sum: norm(name) });
    const block = (layer: number): Block => {
      const at = `model.decoder.layers.${layer}`;
      const part = (name: string) => linear(`${at}.self_attn.${name}`, width, width, bias);
      return {
        attentionNorms: norms(`${at}.self_attn_layer_norm`),
        attention: {
          projection: { query: part("q_proj"), key: part("k_proj"), value: part("v_proj") },
          scale: headSize ** -0.5,
          output: part("out_proj"),
        },
        mlpNorms: norms(`${at}.final_layer_norm`),
        mlp: { up: linear(`${at}.fc1`, width, inner, bias), down: linear(`${at}.fc2`, inner, width, bias) },
      };
    };
    const embedding = "model.decoder.embed_tokens";
    const projection = (name: string, inputs: number, outputs: number) =>
      embedded === width ? undefined : linear(`model.decoder.${name}`, inputs, outputs);
    return {
      family: "opt",
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      width,
      vocabulary,
      contextLength: config.count("max_position_embeddings", 2048),
      positions: learned("model.decoder.embed_positions", 2),
      startToken: config.token("bos_token_id"),
      embedding: { weight: `${embedding}.weight`, projection: projection("project_in", embedded, width) },
      activation: config.activation("activation_function", "relu"),
      blocks: perLayer(layers, block),
      finalNorm: before && !removed ? norm("model.decoder.final_layer_norm") : undefined,
      head: {
        projection: projection("project_out", width, embedded),
        linear: outputLayer(config.flag("tie_word_embeddings", true), embedding, embedded, vocabulary),
      },
      initializer: { deviation: config.number("init_std", 0.02), exceptions: new Map() },
    };
  },
};
