/**
 * Gemma 1–3, text (https://arxiv.org/abs/2403.08295, 2408.00118, 2503.19786; transformers `GemmaForCausalLM`,
 * `Gemma2ForCausalLM`, `Gemma3ForCausalLM`). All scale embeddings by √width and store norm scales less 1; Gemma 2 adds
 * norms of outputs, sliding layers and soft caps; Gemma 3 norms of queries and keys and a rotary base per kind of layer.
 */
import type { Architecture, Family } from "../architecture.js";
import type { Config } from "../config.js";
import { UserError } from "../errors.js";
import { type Rope, ropeOf } from "../rope.js";
import { at, type LlamaLike, llamaLike } from "./llama-like.js";
import { ignoresBuffers, rmsNorm, windows, withBlocks } from "./parts.js";

const defaults = { tied: true, headSize: 256, contextLength: 8192, offset: 1, start: true } as const;

function gemmaLike(config: Config, family: LlamaLike): Architecture {
  config.only("use_bidirectional_attention", false);
  const bias = config.flag("attention_bias", false);
  const base = llamaLike(config, { ...defaults, ...family, bias: { query: bias, output: bias } });
  return { ...base, embedding: { ...base.embedding, scale: Math.sqrt(base.width) } };
}

export const gemma: Family = {
  modelType: "gemma",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const named = config.raw("hidden_activation");
    const base = gemmaLike(config, {
      family: "gemma",
      keyValueHeads: 16,
      activation: ["hidden_act", "gelu_pytorch_tanh"],
    });
    if (typeof named === "string" && config.activation("hidden_activation") !== base.activation) {
      throw new UserError(
        `${config.where}: hidden_act and hidden_activation name different functions; remove the one that does not apply.`,
      );
    }
    return base;
  },
};

/**
 * What Gemma 2 and 3 have in common.
 * @param pattern every so manieth layer does not slide
 * @param caps soft caps of scores and logits where config.json does not mention them
 */
function laterGemma(
  config: Config,
  family: LlamaLike,
  pattern: number,
  caps?: readonly [number, number],
): Architecture {
  config.raw("hidden_act"); // written, and not used, beside hidden_activation
  config.raw("sliding_window_size"); // likewise beside sliding_window
  const base = gemmaLike(config, {
    keyValueHeads: 4,
    activation: ["hidden_activation", "gelu_pytorch_tanh"],
    ...family,
  });
  const epsilon = config.number("rms_norm_eps", 1e-6);
  const scale = config.number("query_pre_attn_scalar", 256) ** -0.5;
  const softcap = config.nullableNumber("attn_logit_softcapping", caps?.[0]);
  const logitCap = config.nullableNumber("final_logit_softcapping", caps?.[1]);
  const window = windows(
    config,
    base.layers,
    config.nullableCount("sliding_window", 4096),
    (layer) => (layer + 1) % pattern !== 0,
  );
  return withBlocks({ ...base, head: { ...base.head, softcap: logitCap } }, (block, layer) => {
    const norm = (name: string) => rmsNorm(`${at(layer)}.${name}`, base.width, epsilon, 1);
    return {
      ...block,
      attentionNorms: { ...block.attentionNorms, output: norm("post_attention_layernorm") },
      attention: { ...block.attention, scale, softcap, window: window[layer] },
      mlpNorms: { input: norm("pre_feedforward_layernorm"), output: norm("post_feedforward_layernorm") },
    };
  });
}

export const gemma2: Family = {
  modelType: "gemma2",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,
  describe: (config) => laterGemma(config, { family: "gemma2" }, 2, [50, 30]),
};

export const gemma3: Family = {
  modelType: "gemma3_text",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const pattern = config.count(["sliding_window_pattern", "_sliding_window_pattern"], 6);
    config.only("attn_logit_softcapping", null); // transformers reads it and leaves it out
    const base = laterGemma(config, { family: "gemma3_text", contextLength: 131_072, ropes: gemma3Ropes }, pattern);
    const epsilon = config.number("rms_norm_eps", 1e-6);
    const norm = (name: string) => rmsNorm(name, base.headSize, epsilon, 1);
    return withBlocks(base, (block, layer) => ({
      ...block,
      attention: {
        ...block.attention,
        rope: block.attention.window === undefined ? 0 : 1,
        queryNorm: norm(`${at(layer)}.self_attn.q_norm`),
        keyNorm: norm(`${at(layer)}.self_attn.k_norm`),
      },
    }));
  },
};

/** The base of full layers, stretched where `rope_scaling` says so, and the base of sliding ones. */
function gemma3Ropes(config: Config, headSize: number, contextLength: number): readonly [Rope, Rope] {
  const full = config.number("rope_theta", 1_000_000);
  const sliding = config.number("rope_local_base_freq", 10_000);
  const older = config.table("rope_scaling");
  const newer = config.table("rope_parameters");
  const tables = [newer?.table("full_attention"), newer?.table("sliding_attention")];
  newer?.finish();
  if (older && newer) {
    throw new UserError(`${config.where}: rope_scaling and rope_parameters are both given; keep the one that applies.`);
  }
  const shape = { headSize, contextLength };
  return [
    ropeOf(older ?? tables[0], config.where, { ...shape, base: full }),
    ropeOf(tables[1], config.where, { ...shape, base: sliding }),
  ];
}
