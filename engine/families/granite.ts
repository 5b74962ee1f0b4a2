/** Granite 3 (https://github.com/ibm-granite/granite-3.0-language-models; transformers `GraniteForCausalLM`). */
import type { Family } from "../architecture.js";
import { llamaLike } from "./llama-like.js";
import { ignoresBuffers, withBlocks } from "./parts.js";

export const granite: Family = {
  modelType: "granite",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const attention = config.flag("attention_bias", false);
    const mlp = config.flag("mlp_bias", false);
    const base = llamaLike(config, { family: "granite", bias: { query: attention, output: attention, mlp } });
    const scale = config.number("attention_multiplier", 1);
    return {
      ...withBlocks(base, (block) => ({ ...block, attention: { ...block.attention, scale } })),
      embedding: { ...base.embedding, scale: config.number("embedding_multiplier", 1) },
      residualScale: config.number("residual_multiplier", 1),
      head: { ...base.head, scale: 1 / config.number("logits_scaling", 1) },
    };
  },
};
