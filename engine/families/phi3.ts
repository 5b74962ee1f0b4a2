/** Phi-3 and Phi-4 (Abdin et al. 2024, https://arxiv.org/abs/2404.14219; transformers `Phi3ForCausalLM`). */
import type { Family } from "../architecture.js";
import { at, llamaLike } from "./llama-like.js";
import { ignoresBuffers, linear, withBlocks } from "./parts.js";

export const phi3: Family = {
  modelType: "phi3",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    config.only("lm_head_bias", false);
    for (const key of ["full_attn_mod", "interpolate_factor"]) config.only(key, 1);
    const base = llamaLike(config, {
      family: "phi3",
      contextLength: 4096,
      originalLength: 4096,
      partial: 1,
      epsilon: ["rms_norm_eps", 1e-5],
    });
    const { width, heads, keyValueHeads, headSize } = base;
    const inner = config.count("intermediate_size");
    const window = config.optionalCount("sliding_window");
    return withBlocks(base, (block, layer) => ({
      ...block,
      attention: {
        ...block.attention,
        window,
        projection: {
          fused: linear(`${at(layer)}.self_attn.qkv_proj`, width, (heads + 2 * keyValueHeads) * headSize),
          order: "joined",
        },
      },
      mlp: {
        gateUp: linear(`${at(layer)}.mlp.gate_up_proj`, width, 2 * inner),
        down: linear(`${at(layer)}.mlp.down_proj`, inner, width),
      },
    }));
  },
};
