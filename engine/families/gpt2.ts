/** GPT-2 (Radford et al. 2019; transformers `GPT2LMHeadModel`). */
import type { Block, Family, Linear } from "../architecture.js";
import { UserError } from "../errors.js";
import { evenHeads, ignoresBuffers, layerNorm, learned, outputLayer, perLayer } from "./parts.js";

export const gpt2: Family = {
  modelType: "gpt2",
  optionalPrefix: "transformer.",
  ignores: ignoresBuffers,

  describe(config) {
    const width = config.count(["n_embd", "hidden_size"]);
    const layers = config.few(["n_layer", "num_hidden_layers"]);
    const heads = config.few(["n_head", "num_attention_heads"]);
    const inner = config.count("n_inner", 4 * width);
    const vocabulary = config.count("vocab_size");
    const contextLength = config.count(["n_positions", "n_ctx", "max_position_embeddings"]);
    const headSize = evenHeads(config, width, heads);
    const epsilon = config.number("layer_norm_epsilon", 1e-5);
    const scaled = config.flag("scale_attn_weights", true);
    const scaledByLayer = config.flag("scale_attn_by_inverse_layer_idx", false);
    config.flag("reorder_and_upcast_attn", false); // the same numbers in another order
    if (config.flag("add_cross_attention", false)) {
      throw new UserError(
        `${config.where}: add_cross_attention must be false, because there is no encoder to attend to.`,
      );
    }
    const norm = (name: string) => layerNorm(name, width, epsilon);
    const linear = (name: string, inputs: number, outputs: number): Linear => ({
      weight: `${name}.weight`,
      bias: `${name}.bias`,
      layout: "in-out",
      inputs,
      outputs,
    });
    const names = (layer: number) => {
      const at = `transformer.h.${layer}`;
      return { at, output: `${at}.attn.c_proj`, down: `${at}.mlp.c_proj` };
    };
    const block = (layer: number): Block => {
      const { at, output, down } = names(layer);
      return {
        attentionNorms: { input: norm(`${at}.ln_1`) },
        attention: {
          projection: { fused: linear(`${at}.attn.c_attn`, width, 3 * width), order: "joined" },
          scale: (scaled ? headSize ** -0.5 : 1) / (scaledByLayer ? layer + 1 : 1),
          output: linear(output, width, width),
        },
        mlpNorms: { input: norm(`${at}.ln_2`) },
        mlp: { up: linear(`${at}.mlp.c_fc`, width, inner), down: linear(down, inner, width) },
      };
    };
    const deviation = config.number("initializer_range", 0.02);
    // The paper scales what is added to the residual stream by 1/√(number of additions).
    const residual = perLayer(layers, names).flatMap(({ output, down }) => [`${output}.weight`, `${down}.weight`]);
    const embedding = "transformer.wte";
    const tied = config.flag("tie_word_embeddings", true);
    return {
      family: "gpt2",
      layers,
      heads,
      keyValueHeads: heads,
      headSize,
      width,
      vocabulary,
      contextLength,
      positions: learned("transformer.wpe"),
      // GPT-2's tokenizer adds no start token, and its training texts began anywhere.
      startToken: undefined,
      embedding: { weight: `${embedding}.weight` },
      activation: config.activation("activation_function", "gelu_new"),
      blocks: perLayer(layers, block),
      finalNorm: norm("transformer.ln_f"),
      head: { linear: outputLayer(tied, embedding, width, vocabulary) },
      initializer: {
        deviation,
        exceptions: new Map(residual.map((name) => [name, deviation / Math.sqrt(2 * layers)])),
      },
    };
  },
};
