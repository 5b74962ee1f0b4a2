/** StableLM (Bellagente et al. 2024, https://arxiv.org/abs/2402.17834; transformers `StableLmForCausalLM`). */
import type { Family, Norm } from "../architecture.js";
import { UserError } from "../errors.js";
import { at, llamaLike } from "./llama-like.js";
import { ignoresBuffers, perLayer, withBlocks } from "./parts.js";

/** Each has a tensor of its own, whose name is written down before any weight is looked for. */
const mostNorms = 1_000_000;

export const stablelm: Family = {
  modelType: "stablelm",
  optionalPrefix: "model.",
  ignores: ignoresBuffers,

  describe(config) {
    const base = llamaLike(config, {
      family: "stablelm",
      ownHeadSize: false,
      keyValueHeads: 32,
      contextLength: 4096,
      partial: 0.25,
      norm: "layer",
      epsilon: ["layer_norm_eps", 1e-5],
      bias: { query: config.flag("use_qkv_bias", false) },
    });
    const parallel = config.flag("use_parallel_residual", false);
    const normed = config.flag("qk_layernorm", false);
    if (normed && base.layers * base.heads > mostNorms) {
      throw new UserError(
        `${config.where}: qk_layernorm of ${base.layers} layers of ${base.heads} heads is more than can be run.`,
      );
    }
    const epsilon = config.number("layer_norm_eps", 1e-5);
    /** A scale of its own for every head. */
    const norm = (name: string, heads: number): Norm | undefined =>
      normed
        ? { kind: "layer", epsilon, size: base.headSize, weight: perLayer(heads, (i) => `${name}.norms.${i}.weight`) }
        : undefined;
    return withBlocks(base, (block, layer) => ({
      ...block,
      attention: {
        ...block.attention,
        queryNorm: norm(`${at(layer)}.self_attn.q_layernorm`, base.heads),
        keyNorm: norm(`${at(layer)}.self_attn.k_layernorm`, base.keyValueHeads),
      },
      parallel,
      mlpNorms: parallel ? block.attentionNorms : block.mlpNorms,
    }));
  },
};
