/** gpt-oss (https://arxiv.org/abs/2508.10925; transformers `GptOssForCausalLM`), weights not quantised. */
import type { Family } from "../architecture.js";
import { Config } from "../config.js";
import { UserError } from "../errors.js";
import { ropeOf } from "../rope.js";
import { at, llamaLike } from "./llama-like.js";
import { ignoresBuffers, linear, windows, withBlocks } from "./parts.js";

/** What transformers takes where config.json describes no rotary encoding. */
const yarn = {
  rope_type: "yarn",
  factor: 32,
  beta_fast: 32,
  beta_slow: 1,
  truncate: false,
  original_max_position_embeddings: 4096,
};

export const gptOss: Family = {
  modelType: "gpt_oss",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    config.only("hidden_act", "silu"); // named, and not used: experts have an activation of their own
    config.only("swiglu_limit", 7);
    const bias = config.flag("attention_bias", true);
    const base = llamaLike(config, {
      family: "gpt_oss",
      keyValueHeads: 8,
      headSize: 64,
      contextLength: 131_072,
      base: 150_000,
      epsilon: ["rms_norm_eps", 1e-5],
      bias: { query: bias, output: bias },
      ropes:
        config.has("rope_parameters") || config.has("rope_scaling")
          ? undefined
          : (all, headSize, contextLength) => {
              const theta = all.number("rope_theta", 150_000);
              return [ropeOf(new Config(yarn, all.where), all.where, { headSize, contextLength, base: theta })];
            },
    });
    const { layers, width } = base;
    const count = config.count(["num_local_experts", "num_experts"], 128);
    const chosen = config.count(["num_experts_per_tok", "experts_per_token"], 4);
    if (chosen > count) {
      throw new UserError(`${config.where}: ${chosen} experts per token are more than the ${count} that there are.`);
    }
    const inner = config.count("intermediate_size");
    const window = windows(config, layers, config.nullableCount("sliding_window", 128), (layer) => layer % 2 === 0);
    return withBlocks(base, (block, layer) => {
      const tensors = (name: string) => ({
        weight: `${at(layer)}.mlp.experts.${name}`,
        bias: `${at(layer)}.mlp.experts.${name}_bias`,
      });
      return {
        ...block,
        attention: { ...block.attention, window: window[layer], sinks: `${at(layer)}.self_attn.sinks` },
        mlp: {
          router: linear(`${at(layer)}.mlp.router`, width, count, true),
          count,
          chosen,
          inner,
          gateUp: tensors("gate_up_proj"),
          down: tensors("down_proj"),
        },
      };
    });
  },
};
