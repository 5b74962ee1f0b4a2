/** OLMo 2 (https://arxiv.org/abs/2501.00656; transformers `Olmo2ForCausalLM`): norms of outputs, none of inputs. */
import type { Family } from "../architecture.js";
import { at, llamaLike } from "./llama-like.js";
import { ignoresBuffers, rmsNorm, withBlocks } from "./parts.js";

export const olmo2: Family = {
  modelType: "olmo2",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const bias = config.flag("attention_bias", false);
    const base = llamaLike(config, {
      family: "olmo2",
      epsilon: ["rms_norm_eps", 1e-5],
      bias: { query: bias, output: bias },
    });
    const { width, heads, keyValueHeads, headSize } = base;
    const epsilon = config.number("rms_norm_eps", 1e-5);
    return withBlocks(base, (block, layer) => {
      const norm = (name: string, size: number) => rmsNorm(`${at(layer)}.${name}`, size, epsilon);
      return {
        ...block,
        attentionNorms: { output: norm("post_attention_layernorm", width) },
        attention: {
          ...block.attention,
          queryNorm: norm("self_attn.q_norm", heads * headSize),
          keyNorm: norm("self_attn.k_norm", keyValueHeads * headSize),
        },
        mlpNorms: { output: norm("post_feedforward_layernorm", width) },
      };
    });
  },
};
