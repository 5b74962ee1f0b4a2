/** Llama 1–3 (Touvron et al. 2023, https://arxiv.org/abs/2302.13971; transformers `LlamaForCausalLM`). */
import type { Family } from "../architecture.js";
import { UserError } from "../errors.js";
import { llamaLike } from "./llama-like.js";
import { ignoresBuffers } from "./parts.js";

export const llama: Family = {
  modelType: "llama",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    if (config.count("pretraining_tp", 1) !== 1) {
      throw new UserError(
        `${config.where}: pretraining_tp must be 1; slicing only reorders a sum and can be set to 1.`,
      );
    }
    config.oneOf("position_embedding", ["rope"], "rope");
    config.oneOf("attention_softmax", ["softmax"], "softmax");
    config.only("rope_interleaved", false);
    const attention = config.flag("attention_bias", false);
    const mlp = config.flag("mlp_bias", false);
    return llamaLike(config, { family: "llama", start: true, bias: { query: attention, output: attention, mlp } });
  },
};
