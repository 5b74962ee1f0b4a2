/** Llama 1–3 (Touvron et al. 2023, https://arxiv.org/abs/2302.13971; transformers `LlamaForCausalLM`). */
import type { Block, Family, Linear } from "../architecture.js";
import { UserError } from "../errors.js";
import { ropeFrequencies } from "../rope.js";

export const llama: Family = {
  modelType: "llama",

  describe(config) {
    const width = config.count("hidden_size");
    const layers = config.count("num_hidden_layers");
    const heads = config.count("num_attention_heads");
    const keyValueHeads = config.count("num_key_value_heads", heads);
    const headSize = config.count("head_dim", width / heads);
    const inner = config.count("intermediate_size");
    const vocabulary = config.count("vocab_size");
    const attentionBias = config.flag("attention_bias", false);
    const mlpBias = config.flag("mlp_bias", false);
    const tied = config.flag("tie_word_embeddings", false);
    const activations = { silu: "silu", gelu: "gelu", gelu_pytorch_tanh: "gelu_tanh", relu: "relu" } as const;
    const activation = activations[config.oneOf("hidden_act", ["silu", "gelu", "gelu_pytorch_tanh", "relu"], "silu")];
    if (heads % keyValueHeads !== 0) {
      throw new UserError(
        `${config.where}: num_attention_heads = ${heads} is not a multiple of num_key_value_heads = ${keyValueHeads}.`,
      );
    }
    if (headSize % 2 !== 0)
      throw new UserError(`${config.where}: head_dim = ${headSize} is odd, which rotary positions cannot be.`);
    if (config.count("pretraining_tp", 1) !== 1) {
      throw new UserError(
        `${config.where}: pretraining_tp must be 1; slicing only reorders a sum and can be set to 1.`,
      );
    }
    config.oneOf("position_embedding", ["rope"], "rope");
    config.oneOf("attention_softmax", ["softmax"], "softmax");

    const linear = (name: string, inputs: number, outputs: number, bias: boolean): Linear => ({
      weight: `${name}.weight`,
      bias: bias ? `${name}.bias` : undefined,
      layout: "out-in",
      inputs,
      outputs,
    });
    const block = (layer: number): Block => {
      const at = `model.layers.${layer}`;
      return {
        attentionNorm: { weight: `${at}.input_layernorm.weight` },
        projection: {
          query: linear(`${at}.self_attn.q_proj`, width, heads * headSize, attentionBias),
          key: linear(`${at}.self_attn.k_proj`, width, keyValueHeads * headSize, attentionBias),
          value: linear(`${at}.self_attn.v_proj`, width, keyValueHeads * headSize, attentionBias),
        },
        output: linear(`${at}.self_attn.o_proj`, heads * headSize, width, attentionBias),
        scale: headSize ** -0.5,
        mlpNorm: { weight: `${at}.post_attention_layernorm.weight` },
        mlp: {
          gate: linear(`${at}.mlp.gate_proj`, width, inner, mlpBias),
          up: linear(`${at}.mlp.up_proj`, width, inner, mlpBias),
          down: linear(`${at}.mlp.down_proj`, inner, width, mlpBias),
        },
      };
    };
    const embedding = "model.embed_tokens.weight";
    return {
      family: "llama",
      layers,
      heads,
      keyValueHeads,
      headSize,
      width,
      vocabulary,
      contextLength: config.count("max_position_embeddings", 2048),
      positions: { kind: "rope", frequencies: ropeFrequencies(config, headSize) },
      startToken: config.token("bos_token_id", vocabulary),
      embedding,
      norm: { kind: "rms", epsilon: config.number("rms_norm_eps", 1e-6) },
      activation,
      blocks: Array.from({ length: layers }, (_, layer) => block(layer)),
      finalNorm: { weight: "model.norm.weight" },
      head: { weight: tied ? embedding : "lm_head.weight", layout: "out-in", inputs: width, outputs: vocabulary },
      initializer: { deviation: config.number("initializer_range", 0.02), exceptions: new Map() },
    };
  },

  ignores: (tensor, { head }) =>
    tensor.endsWith("rotary_emb.inv_freq") || (tensor === "lm_head.weight" && head.weight !== tensor),
};
