/**
 * Qwen2 (https://arxiv.org/abs/2407.10671; transformers `Qwen2ForCausalLM`), with biases on queries, keys and values, and
 * Qwen3 (https://arxiv.org/abs/2505.09388; `Qwen3ForCausalLM`), with norms of queries and keys instead.
 */
import type { Architecture, Family } from "../architecture.js";
import type { Config } from "../config.js";
import { at, llamaLike } from "./llama-like.js";
import { ignoresBuffers, rmsNorm, windows, withBlocks } from "./parts.js";

/** Layers from max_window_layers on slide, where sliding is switched on at all. */
function qwenWindows(config: Config, { layers }: Architecture): (number | undefined)[] {
  const given = config.nullableCount("sliding_window", 4096);
  const first = config.whole("max_window_layers", 28);
  const slides = config.flag("use_sliding_window", false) && given !== undefined;
  return windows(config, layers, slides ? given : undefined, (layer) => slides && layer >= first);
}

export const qwen2: Family = {
  modelType: "qwen2",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    config.only("use_mrope", false);
    const base = llamaLike(config, {
      family: "qwen2",
      contextLength: 32_768,
      keyValueHeads: 32,
      bias: { query: true },
    });
    const window = qwenWindows(config, base);
    return withBlocks(base, (block, layer) => ({
      ...block,
      attention: { ...block.attention, window: window[layer] },
    }));
  },
};

export const qwen3: Family = {
  modelType: "qwen3",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const bias = config.flag("attention_bias", false);
    const base = llamaLike(config, {
      family: "qwen3",
      contextLength: 32_768,
      keyValueHeads: 32,
      headSize: 128,
      bias: { query: bias, output: bias },
    });
    const window = qwenWindows(config, base);
    const epsilon = config.number("rms_norm_eps", 1e-6);
    const norm = (layer: number, name: string) => rmsNorm(`${at(layer)}.self_attn.${name}`, base.headSize, epsilon);
    return withBlocks(base, (block, layer) => ({
      ...block,
      attention: {
        ...block.attention,
        window: window[layer],
        queryNorm: norm(layer, "q_norm"),
        keyNorm: norm(layer, "k_norm"),
      },
    }));
  },
};
