/** Whether a device computes what it should: devices have been seen to be silently wrong. */
import type { Backend } from "./backend.js";
import type { Checkpoint } from "./checkpoint.js";
import { Config } from "./config.js";
import { llama } from "./families/llama.js";
import { entropy } from "./metrics/rows.js";
import { Model } from "./model.js";
import { Random } from "./random.js";
import { randomCheckpoint } from "./random-weights.js";
import { replay } from "./replay.js";

/** Errors in attention and entropy above this mean that a device cannot be trusted. */
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

/** @returns the largest error of attention and entropy of a tiny model on this device, against plain float64 */
export async function selfCheck(backend: Backend): Promise<number> {
  const architecture = llama.describe(new Config(config, "self-check"));
  const empty: Checkpoint = {
    name: "self-check",
    config,
    architecture,
    hashes: { config: "", weights: "" },
    metadata: {},
    tensor: () => Promise.reject(new Error("The self-check has no weights but random ones.")),
  };
  const checkpoint = randomCheckpoint(empty, 1);
  const random = new Random(2);
  const ids = Int32Array.from({ length: 24 }, () => random.int(architecture.vocabulary));
  const reference = (await replay(checkpoint, { ids })).attention.flat(2); // layers · heads · queries × [keys]
  const model = await Model.load(checkpoint, backend);
  const { attention, entropy: entropies } = await model.forward(
    { ids },
    { attention: true, rows: true },
    { chunk: 10 },
  );
  await model.release();
  if (!attention || !entropies) throw new Error("The self-check asked for attention and entropy and did not get them.");
  let largest = 0;
  const compare = (ours: number, theirs: number) => {
    const error = Math.abs(ours - theirs);
    largest = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(largest, error);
  };
  reference.forEach((row, i) => {
    row.forEach((p, key) => {
      compare(attention.data[i * ids.length + key], p);
    });
    compare(entropies.data[i], entropy.reference(row));
  });
  return largest;
}
