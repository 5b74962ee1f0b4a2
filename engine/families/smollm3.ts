/** SmolLM3 (https://huggingface.co/blog/smollm3; transformers `SmolLM3ForCausalLM`): some layers know no positions. */
import type { Family } from "../architecture.js";
import { llamaLike } from "./llama-like.js";
import { ignoresBuffers, perLayer, windows, withBlocks } from "./parts.js";

export const smollm3: Family = {
  modelType: "smollm3",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const attention = config.flag("attention_bias", false);
    const mlp = config.flag("mlp_bias", false);
    const base = llamaLike(config, {
      family: "smollm3",
      keyValueHeads: 4,
      contextLength: 32_768,
      tied: true,
      base: 2_000_000,
      bias: { query: attention, output: attention, mlp },
    });
    const { layers } = base;
    const interval = config.count("no_rope_layer_interval", 4);
    const rotated =
      config.perLayer("no_rope_layers", layers, [0, 1]) ??
      perLayer(layers, (layer) => Number((layer + 1) % interval > 0));
    const given = config.optionalCount("sliding_window");
    const slides = config.flag("use_sliding_window", false) && given !== undefined;
    config.whole("max_window_layers", 0); // of no effect: layer_types says which layers slide
    const window = windows(config, layers, slides ? given : undefined, (layer) => slides && !rotated[layer]);
    return withBlocks(base, (block, layer) => ({
      ...block,
      attention: { ...block.attention, rope: rotated[layer] ? 0 : undefined, window: window[layer] },
    }));
  },
};
