/** Phi 1–2 (Gunasekar et al. 2023, https://arxiv.org/abs/2306.11644; transformers `PhiForCausalLM`). */
import type { Family } from "../architecture.js";
import { at, llamaLike } from "./llama-like.js";
import { ignoresBuffers, layerNorm, linear, withBlocks } from "./parts.js";

export const phi: Family = {
  modelType: "phi",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const base = llamaLike(config, {
      family: "phi",
      partial: 0.5,
      norm: "layer",
      epsilon: ["layer_norm_eps", 1e-5],
      bias: { query: true, output: true, mlp: true },
      headBias: true,
      activation: ["hidden_act", "gelu_new"],
      finalNorm: "model.final_layernorm",
    });
    const { width, heads, headSize } = base;
    const epsilon = config.number("layer_norm_eps", 1e-5);
    const inner = config.count("intermediate_size");
    const normed = config.flag("qk_layernorm", false);
    const norm = (name: string) => (normed ? layerNorm(name, headSize, epsilon) : undefined);
    return withBlocks(base, (block, layer) => ({
      ...block,
      attention: {
        ...block.attention,
        queryNorm: norm(`${at(layer)}.self_attn.q_layernorm`),
        keyNorm: norm(`${at(layer)}.self_attn.k_layernorm`),
        output: linear(`${at(layer)}.self_attn.dense`, heads * headSize, width, true),
      },
      parallel: true,
      mlpNorms: block.attentionNorms,
      mlp: {
        up: linear(`${at(layer)}.mlp.fc1`, width, inner, true),
        down: linear(`${at(layer)}.mlp.fc2`, inner, width, true),
      },
    }));
  },
};
