/** Weights of single heads against what the graph computes from all of them. */
import { expect, test } from "vitest";
import { openCheckpoint } from "../../../engine/checkpoint.js";
import { Model } from "../../../engine/model.js";
import { dot, multiply } from "../../../engine/theory/matrix.js";
import { groupOf, headProjection } from "../../../loaders/analysis/head-weights.js";
import { throughNorm } from "../../../loaders/analysis/through-norm.js";
import { row, vectorsOf } from "../../../loaders/analysis/vectors.js";
import { openBackend } from "../../../loaders/devices.js";
import { headsOf, termsOf } from "../../../loaders/experiments/query-key-directions/heads.js";
import { fileSource } from "../../../loaders/files.js";
import { root } from "../../../loaders/project.js";

const ids = Int32Array.from({ length: 9 }, (_, i) => (i * 7) % 50);

async function open(name: string) {
  const checkpoint = await openCheckpoint(fileSource(`${root}/test/golden/checkpoints/${name}`));
  const model = await Model.load(checkpoint, await openBackend("cpu", { threads: 1 }));
  return { model, read: await vectorsOf(model, ids) };
}

/** Plain, with biases, with key–value groups, and all projections in one matrix in three orders. */
test.each(["llama", "llama_biases", "qwen2", "gpt2", "gpt_neox", "falcon_40b", "llama_yarn"])(
  "%s: directions add up to scores",
  async (name) => {
    const { model, read } = await open(name);
    const heads = await headsOf(model);
    for (const [at, head] of heads.entries()) {
      const layer = Math.floor(at / model.architecture.heads);
      const group = groupOf(model.architecture, at % model.architecture.heads);
      const query = row(read.queries, layer, at % model.architecture.heads, 7);
      const score = dot(query, 0, row(read.keys, layer, group, 3), 0, query.length);
      const sum = termsOf(head, read, at, { query: 7, key: 3 }).reduce((total, term) => total + term, 0);
      expect(Math.abs(sum - score), `head ${at}`).toBeLessThan(1e-4 * Math.max(1, Math.abs(score)));
    }
    await model.release();
  },
);

test.each(["llama", "gpt2", "gpt_neox"])("%s: values come from the normed stream", async (name) => {
  const { model, read } = await open(name);
  const { checkpoint, architecture } = model;
  const { width, headSize, blocks } = architecture;
  const input = blocks[1].attentionNorms.input;
  const through = await throughNorm(checkpoint, input);
  const stream = row(read.residual, 1, 4);
  const shift = input?.bias ? await checkpoint.tensor(input.bias) : new Float32Array(width);
  const seen = through(stream, stream).map((value, i) => value + shift[i]);
  const { matrix, bias } = await headProjection(checkpoint, 1, "value", 0);
  const value = multiply(matrix, seen, width).map((of, c) => of + bias[c]);
  const found = row(read.values, 1, 0, 4);
  for (let c = 0; c < headSize; ++c) expect(value[c]).toBeCloseTo(found[c], 4);
  await model.release();
});
