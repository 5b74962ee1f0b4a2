/** Phi-3 and Phi-4 (Abdin et al. 2024, https://arxiv.org/abs/2404.14219; transformers `Phi3ForCausalLM`). */
import type { Family } from "../architecture.js";
import { at, llamaLike } from "./llama-like.js";
import { ignoresBuffers, linear, withBlocks } from "./parts.js";

export const phi3: Family = {
  modelType: "phi3",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    for (const key of ["attention_bias", "mlp_bias", "lm_head_bias"]) config.only(key, false);
    const base = llamaLike(config, {
      family: "phi3",
      contextLength: 4096,
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
