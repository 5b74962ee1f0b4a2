/** Mistral (Jiang et al. 2023, https://arxiv.org/abs/2310.06825; transformers `MistralForCausalLM`). */
import type { Family } from "../architecture.js";
import { llamaLike } from "./llama-like.js";
import { ignoresBuffers, withBlocks } from "./parts.js";

export const mistral: Family = {
  modelType: "mistral",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const window = config.nullableCount("sliding_window", 4096);
    const base = llamaLike(config, { family: "mistral", keyValueHeads: 8, contextLength: 131_072, start: true });
    return withBlocks(base, (block) => ({ ...block, attention: { ...block.attention, window } }));
  },
};
