/** GPT-2 (Radford et al. 2019; transformers `GPT2LMHeadModel`). */
import type { Block, Family, Linear } from "../architecture.js";
import { UserError } from "../errors.js";

export const gpt2: Family = {
  modelType: "gpt2",
  optionalPrefix: "transformer.",

  describe(config) {
    const width = config.count("n_embd");
    const layers = config.count("n_layer");
    const heads = config.count("n_head");
    const inner = config.count("n_inner", 4 * width);
    const vocabulary = config.count("vocab_size");
    const contextLength = config.count(["n_positions", "n_ctx"]);
    const tied = config.flag("tie_word_embeddings", true);
    const scaled = config.flag("scale_attn_weights", true);
    const scaledByLayer = config.flag("scale_attn_by_inverse_layer_idx", false);
    config.flag("reorder_and_upcast_attn", false); // the same numbers in another order
    if (config.flag("add_cross_attention", false)) {
      throw new UserError(
        `${config.where}: add_cross_attention must be false, because there is no encoder to attend to.`,
      );
    }
    if (width % heads !== 0)
      throw new UserError(`${config.where}: n_embd = ${width} is not a multiple of n_head = ${heads}.`);
    const activations = {
      gelu_new: "gelu_tanh",
      gelu_pytorch_tanh: "gelu_tanh",
      gelu: "gelu",
      relu: "relu",
      silu: "silu",
    } as const;
    const names = ["gelu_new", "gelu_pytorch_tanh", "gelu", "relu", "silu"] as const;
    const activation = activations[config.oneOf("activation_function", names, "gelu_new")];
    const headSize = width / heads;
    const deviation = config.number("initializer_range", 0.02);

    const norm = (name: string) => ({ weight: `${name}.weight`, bias: `${name}.bias` });
    const linear = (name: string, inputs: number, outputs: number): Linear => ({
      weight: `${name}.weight`,
      bias: `${name}.bias`,
      layout: "in-out",
      inputs,
      outputs,
    });
    const block = (layer: number): Block => {
      const at = `transformer.h.${layer}`;
      return {
        attentionNorm: norm(`${at}.ln_1`),
        projection: { fused: linear(`${at}.attn.c_attn`, width, 3 * width) },
        output: linear(`${at}.attn.c_proj`, width, width),
        scale: (scaled ? headSize ** -0.5 : 1) / (scaledByLayer ? layer + 1 : 1),
        mlpNorm: norm(`${at}.ln_2`),
        mlp: { up: linear(`${at}.mlp.c_fc`, width, inner), down: linear(`${at}.mlp.c_proj`, inner, width) },
      };
    };
    const blocks = Array.from({ length: layers }, (_, layer) => block(layer));
    // The paper scales what is added to the residual stream by 1/√(number of additions).
    const residual = blocks.flatMap(({ output, mlp }) => [output.weight, mlp.down.weight]);
    const embedding = "transformer.wte.weight";
    return {
      family: "gpt2",
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      width,
      vocabulary,
      contextLength,
      positions: { kind: "learned", table: "transformer.wpe.weight" },
      // GPT-2's tokenizer adds no start token, and its training texts began anywhere.
      startToken: undefined,
      embedding,
      norm: { kind: "layer", epsilon: config.number("layer_norm_epsilon", 1e-5) },
      activation,
      blocks,
      finalNorm: norm("transformer.ln_f"),
      head: { weight: tied ? embedding : "lm_head.weight", layout: "out-in", inputs: width, outputs: vocabulary },
      initializer: {
        deviation,
        exceptions: new Map(residual.map((name) => [name, deviation / Math.sqrt(2 * layers)])),
      },
    };
  },

  ignores: (tensor, { head }) =>
    /(^|\.)h\.\d+\.attn\.(masked_)?bias$/.test(tensor) || (tensor === "lm_head.weight" && head.weight !== tensor),
};
