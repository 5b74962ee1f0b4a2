import { describe, expect, test } from "vitest";
import { type Checkpoint, openCheckpoint } from "../../../engine/checkpoint.js";
import { Config } from "../../../engine/config.js";
import { readRope } from "../../../engine/rope.js";
import { fileSource } from "../../../loaders/files.js";
import { bundledFolder, goldenFiles, json, memorySource, putTogether, takeApart } from "./memory-source.js";

async function opened(name: string, config: Record<string, unknown> = {}, rename = (tensor: string) => tensor) {
  const files = await goldenFiles(name);
  const { header, values } = takeApart(files["model.safetensors"]);
  const renamed = Object.fromEntries(Object.entries(header).map(([tensor, entry]) => [rename(tensor), entry]));
  return openCheckpoint(
    memorySource({
      "config.json": json({ ...JSON.parse(new TextDecoder().decode(files["config.json"])), ...config }),
      "model.safetensors": putTogether(renamed, values),
    }),
  );
}

/** The frequencies of a checkpoint's only rotary encoding. */
const rotation = ({ architecture: { positions } }: Checkpoint) =>
  positions.kind === "rope" ? [...positions.ropes[0].frequencies(100)] : [];

describe("config", () => {
  test("describes the bundled model", async () => {
    const { architecture, hashes, control } = await openCheckpoint(fileSource(bundledFolder));
    expect(architecture).toMatchObject({
      family: "llama",
      layers: 8,
      heads: 8,
      keyValueHeads: 8,
      headSize: 32,
      width: 256,
    });
    expect(architecture).toMatchObject({
      vocabulary: 8192,
      contextLength: 2048,
      startToken: 0,
      positions: { kind: "rope" },
    });
    expect(hashes.config).toMatch(/^[0-9a-f]{64}$/);
    expect(hashes.weights).toMatch(/^[0-9a-f]{64}$/);
    expect(control).toBeUndefined();
  });

  test("older and newer names of a value mean the same", async () => {
    const a = await opened("llama", {
      rope_parameters: null,
      rope_theta: 500,
      rope_scaling: { type: "linear", factor: 4 },
    });
    const b = await opened("llama", { rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 500 } });
    expect(rotation(a)).toEqual(rotation(b));
    expect(rotation(a)).toHaveLength(4);
  });

  test.each([
    [
      { rope_parameters: { rope_type: "spiral", factor: 4, rope_theta: 1 } },
      'rope_type is "spiral", but must be one of "default", "linear", "dynamic", "llama3"',
    ],
    [
      { rope_parameters: { rope_type: "default", rope_theta: 1, partial_rotary_factor: 0.5 } },
      "partial_rotary_factor is 0.5, but models of this type rotate whole heads",
    ],
    [{ rope_parameters: { rope_type: "linear", rope_theta: 1 } }, "lacks factor"],
    [{ hidden_act: "swiglu" }, 'hidden_act is "swiglu"'],
    [{ quantization_config: { quant_method: "mxfp4" } }, "the weights are quantised"],
    [{ rms_norm_eps: 0 }, "rms_norm_eps is 0, but must be a positive number"],
    [{ sliding_window: 8 }, "sliding_window = 8 is not understood and could change the numbers"],
    [{ tie_word_embeddings: "yes" }, 'tie_word_embeddings is "yes", but must be true or false'],
    [{ bos_token_id: -1 }, "bos_token_id is -1, but must be a token id"],
    [{ attention_bias: true }, "lacks the tensor model.layers.0.self_attn.q_proj.bias"],
    [{ position_embedding: "alibi" }, 'position_embedding is "alibi"'],
    [{ num_key_value_heads: 3 }, "num_attention_heads = 4 is not a multiple of num_key_value_heads = 3"],
  ])("%j is refused by name", async (config, message) => {
    await expect(opened("llama", config)).rejects.toThrow(message);
  });

  test("GPT-2's cross-attention is refused", async () => {
    await expect(opened("gpt2", { add_cross_attention: true })).rejects.toThrow("add_cross_attention must be false");
  });

  test("attention scaled by layer is understood", async () => {
    const { architecture } = await opened("gpt2", { scale_attn_by_inverse_layer_idx: true, scale_attn_weights: false });
    expect(architecture.blocks.map(({ attention }) => attention.scale)).toEqual([1, 1 / 2, 1 / 3]);
  });
});

describe("tensors", () => {
  test("of GPT-2 exports without the prefix are found", async () => {
    const prefixed = await opened("gpt2");
    const bare = await opened("gpt2", {}, (tensor) => tensor.replace("transformer.", ""));
    const name = "transformer.h.1.mlp.c_fc.weight";
    expect(await bare.tensor(name)).toEqual(await prefixed.tensor(name));
  });

  test("that change nothing may be there: a head beside tied embeddings", async () => {
    expect((await opened("llama")).architecture.head.linear.weight).toBe("lm_head.weight");
    const files = await goldenFiles("llama");
    const { header, values } = takeApart(files["model.safetensors"]);
    const at = (name: string) => header[name].data_offsets;
    values.copyWithin(at("lm_head.weight")[0], ...at("model.embed_tokens.weight"));
    const config = { ...JSON.parse(new TextDecoder().decode(files["config.json"])), tie_word_embeddings: true };
    const tied = await openCheckpoint(
      memorySource({ "config.json": json(config), "model.safetensors": putTogether(header, values) }),
    );
    expect(tied.architecture.head.linear.weight).toBe("model.embed_tokens.weight");
  });

  test("that leave open which output layer counts are refused: another head beside tied embeddings", async () => {
    await expect(opened("llama", { tie_word_embeddings: true })).rejects.toThrow(
      /lm_head.weight differs from model.embed_tokens.weight, but config.json ties them; set tie_word_embeddings to false/,
    );
  });
});

describe("rotary frequencies", () => {
  const frequencies = (values: Record<string, unknown>, size = 8) => [
    ...readRope(new Config(values, "config"), { headSize: size, contextLength: 2048 }).frequencies(1),
  ];

  test("fall from 1 by the base", () => {
    expect(frequencies({ rope_theta: 10_000 })).toEqual([1, 0.1, 0.01, 0.001].map((x) => expect.closeTo(x, 12)));
  });

  test("are divided by a linear factor", () => {
    const scaled = frequencies({ rope_scaling: { rope_type: "linear", factor: 4 } });
    expect(scaled).toEqual(frequencies({}).map((x) => x / 4));
  });

  test("of Llama 3 keep short waves, stretch long ones, and blend between", () => {
    const parameters = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    const plain = frequencies({ rope_theta: 10_000 });
    const scaled = frequencies({ rope_parameters: { ...parameters, rope_theta: 10_000 } });
    expect(scaled[0]).toBe(plain[0]); // 64 tokens hold 10.2 turns, more than 4
    const kept = ((64 * 0.1) / (2 * Math.PI) - 1) / 3; // 1.02 turns, between 1 and 4
    expect(scaled[1]).toBeCloseTo(kept * 0.1 + ((1 - kept) * 0.1) / 8, 12);
    expect(scaled[3]).toBeCloseTo(plain[3] / 8, 15);
  });
});

test("a folder that is not there is named", async () => {
  await expect(openCheckpoint(fileSource("/nowhere/at/all"))).rejects.toThrow("There is no folder /nowhere/at/all.");
});
