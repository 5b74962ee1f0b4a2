/** GPT-Neo (Black et al. 2021, https://github.com/EleutherAI/gpt-neo; transformers `GPTNeoForCausalLM`). */
import type { Block, Family } from "../architecture.js";
import type { Config } from "../config.js";
import { UserError } from "../errors.js";
import { evenHeads, ignoresBuffers, layerNorm, learned, linear, outputLayer, perLayer } from "./parts.js";

export const gptNeo: Family = {
  modelType: "gpt_neo",
  optionalPrefix: "transformer.",
  ignores: ignoresBuffers,

  describe(config) {
    const width = config.count("hidden_size");
    const layers = config.few(["num_layers", "num_hidden_layers"]);
    const heads = config.few(["num_heads", "num_attention_heads"]);
    const inner = config.count("intermediate_size", 4 * width);
    const vocabulary = config.count("vocab_size");
    const headSize = evenHeads(config, width, heads);
    const epsilon = config.number("layer_norm_epsilon", 1e-5);
    const window = config.count("window_size", 256);
    const kinds = attentionKinds(config, layers);
    const norm = (name: string) => layerNorm(name, width, epsilon);
    const block = (layer: number): Block => {
      const at = `transformer.h.${layer}`;
      const part = (name: string) => linear(`${at}.attn.attention.${name}`, width, width);
      return {
        attentionNorms: { input: norm(`${at}.ln_1`) },
        attention: {
          projection: { query: part("q_proj"), key: part("k_proj"), value: part("v_proj") },
          scale: 1,
          window: kinds[layer] === "local" ? window : undefined,
          output: linear(`${at}.attn.attention.out_proj`, width, width, true),
        },
        mlpNorms: { input: norm(`${at}.ln_2`) },
        mlp: {
          up: linear(`${at}.mlp.c_fc`, width, inner, true),
          down: linear(`${at}.mlp.c_proj`, inner, width, true),
        },
      };
    };
    const embedding = "transformer.wte";
    return {
      family: "gpt_neo",
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      width,
      vocabulary,
      contextLength: config.count("max_position_embeddings", 2048),
      positions: learned("transformer.wpe"),
      embedding: { weight: `${embedding}.weight` },
      activation: config.activation("activation_function", "gelu_new"),
      blocks: perLayer(layers, block),
      finalNorm: norm("transformer.ln_f"),
      head: { linear: outputLayer(config.flag("tie_word_embeddings", true), embedding, width, vocabulary) },
      initializer: { deviation: config.number("initializer_range", 0.02), exceptions: new Map() },
    };
  },
};

/** `attention_types` says [[kinds, times], …]; `attention_layers` the same, written out. */
function attentionKinds(config: Config, layers: number): ("global" | "local")[] {
  const listed = config.perLayer("attention_layers", layers, ["global", "local"]);
  const types = config.raw("attention_types") ?? [[["global", "local"], layers / 2]];
  const runs = Array.isArray(types)
    ? types.map((item) => {
        const [names, times] = Array.isArray(item) ? item : [];
        return Array.isArray(names) && names.length > 0 && Number.isSafeInteger(times) && times > 0
          ? { names: names as unknown[], times: times as number }
          : { names: [undefined], times: 1 };
      })
    : [];
  const count = runs.reduce((sum, { names, times }) => sum + names.length * times, 0); // before they are written out
  const kinds = count === layers ? runs.flatMap(({ names, times }) => perLayer(times, () => names).flat()) : [];
  const known = kinds.filter((kind) => kind === "global" || kind === "local");
  if (known.length !== layers || kinds.length !== layers || (listed && listed.join() !== known.join())) {
    throw new UserError(
      `${config.where}: attention_types must give each of the ${layers} layers as "global" or "local", as attention_layers does.`,
    );
  }
  return known;
}
