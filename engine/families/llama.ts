/** Llama 1–3 (Touvron et al. 2023, https://arxiv.org/abs/2302.13971; transformers `LlamaForCausalLM`). */
import type { Family } from "../architecture.js";
import { llamaLike } from "./llama-like.js";
import { ignoresBuffers } from "./parts.js";

export const llama: Family = {
  modelType: "llama",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    config.oneOf("position_embedding", ["rope"], "rope");
    config.oneOf("attention_softmax", ["softmax"], "softmax");
    config.only("rope_interleaved", false);
    const attention = config.flag("attention_bias", false);
    const mlp = config.flag("mlp_bias", false);
    return llamaLike(config, { family: "llama", start: true, bias: { query: attention, output: attention, mlp } });
  },
};
