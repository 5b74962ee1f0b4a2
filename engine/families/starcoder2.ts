/** StarCoder2 (Lozhkov et al. 2024, https://arxiv.org/abs/2402.19173; transformers `Starcoder2ForCausalLM`). */
import type { Family } from "../architecture.js";
import { at, llamaLike } from "./llama-like.js";
import { ignoresBuffers, linear, withBlocks } from "./parts.js";

export const starcoder2: Family = {
  modelType: "starcoder2",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    config.raw("layer_norm_epsilon"); // written, and not used, beside norm_epsilon
    config.raw("activation_function"); // likewise beside hidden_act
    config.only("scale_attn_weights", true);
    config.oneOf("norm_type", ["layer_norm"], "layer_norm");
    config.oneOf("mlp_type", ["default"], "default");
    const bias = config.flag("use_bias", true);
    const base = llamaLike(config, {
      family: "starcoder2",
      keyValueHeads: 2,
      contextLength: 4096,
      tied: true,
      norm: "layer",
      epsilon: ["norm_epsilon", 1e-5],
      bias: { query: bias, output: bias },
      activation: ["hidden_act", "gelu_pytorch_tanh"],
    });
    const inner = config.count("intermediate_size");
    const window = config.optionalCount("sliding_window");
    return withBlocks(base, (block, layer) => ({
      ...block,
      attention: { ...block.attention, window },
      mlp: {
        up: linear(`${at(layer)}.mlp.c_fc`, base.width, inner, bias),
        down: linear(`${at(layer)}.mlp.c_proj`, inner, base.width, bias),
      },
    }));
  },
};
