/** Published models' config.json files (bookkeeping keys left out) are understood as what the models are. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Architecture } from "../../../engine/architecture.js";
import { Config } from "../../../engine/config.js";
import { families, familyOf } from "../../../engine/families/index.js";

const path = new URL("../../fixtures/published-configs.json", import.meta.url);
const published: Record<string, Record<string, unknown>> = JSON.parse(readFileSync(path, "utf8"));

function described(config: Record<string, unknown>): Architecture {
  const keys = new Config(config, "config.json");
  const architecture = familyOf(config, "config.json").describe(keys);
  keys.finish();
  return architecture;
}

/** Sizes (layers × heads/key–value heads × head size), positions, context, start token, windows of six layers. */
function summary({
  layers,
  heads,
  keyValueHeads,
  headSize,
  positions,
  contextLength,
  startToken,
  blocks,
}: Architecture) {
  const windows = blocks.slice(0, 6).map(({ attention }) => attention.window ?? 0);
  const sizes = `${layers}×${heads}/${keyValueHeads}×${headSize}`;
  return `${sizes} ${positions.kind} ${contextLength} ${startToken ?? "none"} ${windows}`;
}

const full = "0,0,0,0,0,0";

test.each([
  ["bloom-560m", `24×16/16×64 alibi 2048 none ${full}`],
  ["distilgpt2", `6×12/12×64 learned 1024 none ${full}`],
  ["falcon-7b", `32×71/1×64 rope 2048 none ${full}`],
  ["falcon-rw-1b", `24×32/32×64 alibi 2048 none ${full}`],
  ["gemma-2-2b", "26×8/4×256 rope 8192 2 4096,0,4096,0,4096,0"],
  ["gemma-2b", `18×8/1×256 rope 8192 2 ${full}`],
  ["gemma-3-1b", "26×4/1×256 rope 32768 2 512,512,512,512,512,0"],
  ["gpt-neo-125m", "12×12/12×64 learned 2048 none 0,256,0,256,0,256"],
  ["gpt2", `12×12/12×64 learned 1024 none ${full}`],
  ["gptj", `28×16/16×256 rope 2048 none ${full}`],
  ["granite-3.1-2b", `40×32/8×64 rope 131072 none ${full}`],
  ["llama-2-7b", `32×32/32×128 rope 4096 1 ${full}`],
  ["llama-3.2-1b", `16×32/8×64 rope 131072 128000 ${full}`],
  ["mistral-7b", "32×32/8×128 rope 32768 1 4096,4096,4096,4096,4096,4096"],
  ["mpt-7b", `32×32/32×128 alibi 2048 none ${full}`],
  ["olmo2-1b", `16×16/16×128 rope 4096 none ${full}`],
  ["opt-125m", `12×12/12×64 learned 2048 2 ${full}`],
  ["opt-350m", `24×16/16×64 learned 2048 2 ${full}`],
  ["phi-2", `32×32/32×80 rope 2048 none ${full}`],
  ["phi-3-mini-4k", "32×32/32×96 rope 4096 none 2047,2047,2047,2047,2047,2047"],
  ["pythia", `6×8/8×64 rope 2048 none ${full}`],
  ["qwen2.5-0.5b", `24×14/2×64 rope 32768 none ${full}`],
  ["qwen2.5-yarn", `28×28/4×128 rope 32768 none ${full}`],
  ["qwen3-0.6b", `28×16/8×128 rope 40960 none ${full}`],
  ["smollm2-135m", `30×9/3×64 rope 8192 0 ${full}`],
  ["smollm3-3b", `36×16/4×128 rope 65536 none ${full}`],
  ["stablelm-2-1.6b", `24×32/32×64 rope 4096 none ${full}`],
  ["starcoder2-3b", "30×24/2×128 rope 16384 none 4096,4096,4096,4096,4096,4096"],
  ["tinyllama", `22×32/4×64 rope 2048 1 ${full}`],
])("%s is %s", (name, expected) => {
  expect(summary(described(published[name]))).toBe(expected);
});

describe("models that cannot be run are refused in a sentence", () => {
  test.each([
    ["gpt-oss-20b", "the weights are quantised, but only unquantised checkpoints can be run."],
    ["gemma-3-4b-mm", 'model_type is "gemma3", a model of text and more, but only'],
  ])("%s", (name, sentence) => {
    expect(() => described(published[name])).toThrow(sentence);
  });

  test("a quantised model is what it is without its quantisation", () => {
    const { quantization_config: _, ...config } = published["gpt-oss-20b"];
    expect(summary(described(config))).toBe("24×64/8×64 rope 131072 none 128,0,128,0,128,0");
  });
});

test.each<[string, Record<string, unknown>]>([
  ["falcon-7b", { ff_factor: 4 }],
  ["gemma-2-2b", { sliding_window_size: 4096 }],
  ["gpt2", { n_special: 0, predict_special_tokens: true, output_past: true, num_labels: 1 }],
  ["llama-2-7b", { max_sequence_length: 2048, _attn_implementation_autoset: true, partial_rotary_factor: 1 }],
  ["llama-2-7b", { rope_scaling: { type: "yarn", factor: 16, finetuned: true } }],
  ["mistral-7b", { attention_bias: false, mlp_bias: false, use_sliding_window: false }],
  ["phi-3-mini-4k", { full_attn_mod: 1, interpolate_factor: 1, lm_head_bias: false, mlp_bias: false }],
  ["pythia", { rope_theta: 10_000, partial_rotary_factor: 0.25, is_decoder: true }],
  ["smollm2-135m", { "transformers.js_config": { dtype: "q4" } }],
  ["starcoder2-3b", { activation_function: "gelu_pytorch_tanh" }],
])("%s is the same with %j, as published files have it", (name, change) => {
  const { positions: _, ...same } = described(published[name]);
  expect(described({ ...published[name], ...change })).toMatchObject(same);
});

test.each([
  ["gpt2", { n_embd: "hidden_size", n_layer: "num_hidden_layers", n_head: "num_attention_heads" }],
  ["gptj", { n_embd: "hidden_size", n_positions: "max_position_embeddings" }],
  ["mpt-7b", { d_model: "hidden_size", n_layers: "num_hidden_layers", n_heads: "num_attention_heads" }],
])("%s may be spelled the way of other families", (name, names) => {
  const respelled = Object.entries(published[name]).map(([key, value]) => [Reflect.get(names, key) ?? key, value]);
  expect(summary(described(Object.fromEntries(respelled)))).toBe(summary(described(published[name])));
});

test("an empty rope_scaling leaves rope_parameters as they are", () => {
  const config = { ...published["llama-2-7b"], rope_parameters: { rope_type: "linear", factor: 4 } };
  const frequency = (of: Architecture) => (of.positions.kind === "rope" ? of.positions.ropes[0].frequencies(1)[0] : 0);
  expect(frequency(described({ ...config, rope_scaling: {} }))).toBe(0.25);
});

test("Phi-3 was trained on 4,096 tokens before it was stretched, where config.json does not say", () => {
  const { original_max_position_embeddings: _, ...config } = published["phi-3-mini-4k"];
  const factors = new Array<number>(48).fill(1);
  const rope_scaling = { type: "longrope", short_factor: factors, long_factor: factors };
  const { positions } = described({ ...config, max_position_embeddings: 131_072, rope_scaling });
  const stretched = Math.sqrt(1 + Math.log(32) / Math.log(4096));
  expect(positions).toMatchObject({ ropes: [{ factor: stretched }] });
});

describe("what a family cannot run is refused by name", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["mpt-7b", { attn_config: { qk_ln: true } }, "qk_ln is true, but only false can be run"],
    ["mpt-7b", { attn_config: { alibi: false } }, "alibi is false, but only true"],
    ["mpt-7b", { logit_scale: 0.5 }, "logit_scale is 0.5"],
    ["gemma-2-2b", { use_bidirectional_attention: true }, "use_bidirectional_attention is true"],
    ["gemma-3-1b", { attn_logit_softcapping: 50 }, "attn_logit_softcapping is 50"],
    [
      "gemma-2b",
      { hidden_activation: "gelu_pytorch_tanh" },
      "hidden_act and hidden_activation name different functions",
    ],
    [
      "gpt-neo-125m",
      { attention_types: [[["global", "diagonal"], 6]] },
      "attention_types must give each of the 12 layers",
    ],
    ["gptj", { rotary_dim: 257 }, "rotary_dim = 257 must be even and at most the head's 256"],
    ["falcon-7b", { multi_query: false, num_kv_heads: 2 }, "num_kv_heads must be 71"],
    ["qwen3-0.6b", { layer_types: ["full_attention"] }, "layer_types"],
    [
      "phi-3-mini-4k",
      { rope_scaling: { type: "longrope", short_factor: [1], long_factor: [1] } },
      "short_factor is [1]",
    ],
    ["llama-3.2-1b", { partial_rotary_factor: 0.5 }, "partial_rotary_factor = 0.5 is not understood"],
    ["llama-3.2-1b", { rope_scaling: { rope_type: "yarn", factor: 2, beta: 3 } }, "beta = 3 is not understood"],
    ["olmo2-1b", { clip_qkv: 8 }, "clip_qkv = 8 is not understood"],
    ["phi-3-mini-4k", { full_attn_mod: 2 }, "full_attn_mod is 2, but only 1 can be run"],
    ["pythia", { rope_theta: 500 }, "rope_theta is 500, but only 10000 can be run"],
    ["pythia", { partial_rotary_factor: 0.5 }, "partial_rotary_factor is 0.5, but only 0.25 can be run"],
    [
      "gpt-oss-20b",
      { quantization_config: null, num_experts_per_tok: 33, experts_per_token: 33 },
      "33 experts per token are more than the 32 that there are",
    ],
    ["opt-125m", { is_encoder_decoder: true }, "is_encoder_decoder = true is not understood"],
    ["stablelm-2-1.6b", { hidden_act: "mish" }, 'hidden_act is "mish"'],
  ])("%s with %j", (name, change, sentence) => {
    expect(() => described({ ...published[name], ...change })).toThrow(sentence);
  });
});

test("every family is described by a published model", () => {
  const known = new Set(Object.values(published).map(({ model_type }) => model_type));
  expect(families.map(({ modelType }) => modelType).filter((type) => !known.has(type))).toEqual([]);
});

test("sizes that are allowed each, but name more layers or tensors together than there is memory for, are refused at once", () => {
  const many = { num_hidden_layers: 10_000, num_attention_heads: 10_000, num_key_value_heads: 10_000 };
  const norms = { ...many, hidden_size: 40_000, partial_rotary_factor: 1, qk_layernorm: true };
  expect(() => described({ ...published["stablelm-2-1.6b"], ...norms })).toThrow(
    "qk_layernorm of 10000 layers of 10000 heads is more than can be run",
  );
  const kinds = new Array<string>(10_000).fill("global");
  for (const attention_types of [[[kinds, 10_000]], [[[], 2 ** 50]]]) {
    const change = { num_layers: 10_000, attention_layers: null, attention_types };
    expect(() => described({ ...published["gpt-neo-125m"], ...change })).toThrow(
      "attention_types must give each of the 10000 layers",
    );
  }
});
