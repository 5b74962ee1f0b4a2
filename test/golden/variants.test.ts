/** What a family's config can vary, against float64: random weights in every tensor, norms and biases included. */
import { describe, expect, test } from "vitest";
import { type Family, tensorsOf } from "../../engine/architecture.js";
import type { Checkpoint } from "../../engine/checkpoint.js";
import { Config } from "../../engine/config.js";
import { gemma3 } from "../../engine/families/gemma.js";
import { gpt2 } from "../../engine/families/gpt2.js";
import { llama } from "../../engine/families/llama.js";
import { smollm3 } from "../../engine/families/smollm3.js";
import type { Request } from "../../engine/forward.js";
import { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { replay } from "../../engine/replay.js";
import { expected } from "./expected.js";
import { backend, devices, largestError } from "./golden.js";

const llamaBase = {
  vocab_size: 50,
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  head_dim: 4,
};
const gpt2Base = { vocab_size: 50, n_embd: 24, n_layer: 2, n_head: 6, n_positions: 40 };

const variants: [string, Family, Record<string, unknown>][] = [
  ["Llama with biases everywhere", llama, { ...llamaBase, attention_bias: true, mlp_bias: true }],
  ["Llama with one key–value head", llama, { ...llamaBase, num_key_value_heads: 1 }],
  ["Llama with as many key–value heads as heads", llama, { ...llamaBase, num_key_value_heads: undefined }],
  ["Llama with heads wider than its width", llama, { ...llamaBase, head_dim: 10 }],
  ["Llama with tied embeddings", llama, { ...llamaBase, tie_word_embeddings: true }],
  ["Llama with linearly scaled positions", llama, { ...llamaBase, rope_scaling: { type: "linear", factor: 3 } }],
  ["Llama with GELU", llama, { ...llamaBase, hidden_act: "gelu" }],
  ["Llama with GELU by tanh", llama, { ...llamaBase, hidden_act: "gelu_pytorch_tanh" }],
  ["Llama with ReLU", llama, { ...llamaBase, hidden_act: "relu" }],
  ["Gemma 3 whose layers all slide", gemma3, { ...llamaBase, sliding_window: 5 }],
  ["SmolLM3 without rotary layers", smollm3, { ...llamaBase, no_rope_layers: [0, 0] }],
  ["GPT-2 with GELU", gpt2, { ...gpt2Base, activation_function: "gelu" }],
  ["GPT-2 with ReLU", gpt2, { ...gpt2Base, activation_function: "relu" }],
  ["GPT-2 with SiLU", gpt2, { ...gpt2Base, activation_function: "silu" }],
  ["GPT-2 with a narrow MLP and its own head", gpt2, { ...gpt2Base, n_inner: 20, tie_word_embeddings: false }],
  ["GPT-2 with scores scaled by layer", gpt2, { ...gpt2Base, scale_attn_by_inverse_layer_idx: true }],
  ["GPT-2 with scores not scaled", gpt2, { ...gpt2Base, scale_attn_weights: false }],
  ["GPT-2 with one layer and one head", gpt2, { ...gpt2Base, n_layer: 1, n_head: 1 }],
];

function checkpoint(family: Family, config: Record<string, unknown>): Checkpoint {
  const architecture = family.describe(new Config(config, "variant"));
  const random = new Random(3);
  const tensors = new Map(
    [...tensorsOf(architecture)].map(([name, { shape, role }]) => {
      const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
      return [name, values.map(() => (role === "scale" ? 1 : 0) + 0.3 * random.normal())] as const;
    }),
  );
  return {
    name: "variant",
    config,
    architecture,
    hashes: { config: "", weights: "" },
    metadata: {},
    tensor: async (name) => tensors.get(name) ?? new Float32Array(),
  };
}

describe.each(devices)("on %s", (device) => {
  test.each(variants)("%s", async (_, family, config) => {
    const variant = checkpoint(family, config);
    const random = new Random(4);
    const ids = Int32Array.from({ length: 30 }, () => random.int(50));
    const request: Request = { rows: true, attention: true, norms: true, logits: "all" };
    const reference = expected(await replay(variant, { ids }), { ids }, request);
    const model = await Model.load(variant, await backend(device));
    const out = await model.forward({ ids }, request, { chunk: 11 });
    await model.release();
    expect(largestError(out.attention?.data ?? [], reference.attention ?? [])).toBeLessThan(5e-5);
    expect(largestError(out.entropy?.data ?? [], reference.entropy ?? [])).toBeLessThan(1e-4);
    expect(largestError(out.valueNorm?.data ?? [], reference.valueNorm ?? [], true)).toBeLessThan(1e-4);
    expect(largestError(out.logits?.data ?? [], reference.logits ?? [])).toBeLessThan(2e-4);
  });
});
