/** Whether a device computes what it should: devices have been seen to be silently wrong. */
import type { Backend } from "./backend.js";
import type { Checkpoint } from "./checkpoint.js";
import { Config } from "./config.js";
import { llama } from "./families/llama.js";
import type { Forward, Request } from "./forward.js";
import { Model } from "./model.js";
import { Random } from "./random.js";
import { randomCheckpoint } from "./random-weights.js";
import { reference } from "./self-check-reference.js";

/** Errors above this mean that a device cannot be trusted. */
export const tolerated = 1e-4;

const config = {
  model_type: "llama",
  vocab_size: 64,
  hidden_size: 16,
  intermediate_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 32,
  initializer_range: 0.5, // far from uniform attention
};

/** A tiny model, the same on every machine, and a prompt for it. */
export function selfCheckModel(): { readonly checkpoint: Checkpoint; readonly ids: Int32Array } {
  const architecture = llama.describe(new Config(config, "self-check"));
  const empty: Checkpoint = {
    name: "self-check",
    config,
    architecture,
    hashes: { config: "", weights: "" },
    metadata: {},
    tensor: () => Promise.reject(new Error("The self-check has no weights but random ones.")),
  };
  const random = new Random(2);
  const ids = Int32Array.from({ length: 24 }, () => random.int(architecture.vocabulary));
  return { checkpoint: randomCheckpoint(empty, 1), ids };
}

/**
 * Runs the tiny model both ways that a device may have, by ONNX Runtime alone and with kernels for the attention.
 * @returns the largest error of entropy, attention received and last logits, against transformers
 */
export async function selfCheck(backend: Backend): Promise<number> {
  const { checkpoint, ids } = selfCheckModel();
  const model = await Model.load(checkpoint, backend);
  const request: Request = { rows: true, queryGroups: [new Float32Array(ids.length).fill(1)], logits: "last" };
  const plain = await model.forward({ ids }, { ...request, attention: true }, { chunk: 10 }); // kernels give no matrix
  const fused = backend.fused ? await model.forward({ ids }, request) : plain;
  await model.release();
  return Math.max(largestError(plain), largestError(fused));
}

function largestError({ entropy, received, logits }: Forward): number {
  const pairs = [
    [entropy, reference.entropy],
    [received, reference.received],
    [logits, reference.logits],
  ] as const;
  let largest = 0;
  for (const [ours, theirs] of pairs) {
    if (ours?.data.length !== theirs.length) return Number.POSITIVE_INFINITY;
    theirs.forEach((value, i) => {
      const error = Math.abs(ours.data[i] - value);
      largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(largest, error);
    });
  }
  return largest;
}
