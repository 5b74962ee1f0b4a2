/** Queries, keys and values as a forward pass gives them: attention computed from them must be that of transformers. */
import { expect, test } from "vitest";
import { GpuDecoder } from "../../engine/kernels/fused.js";
import { Model } from "../../engine/model.js";
import { backend, field, goldenCheckpoint, goldenReference, largestError, rowOf } from "./golden.js";

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i], 0);

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / total);
}

/** One with rotary positions and shared keys and values, one with neither. */
test.each(["llama", "gpt2"])(
  "%s: the softmax of queries · keys · scale is the attention of transformers",
  async (name) => {
    const model = await Model.load(await goldenCheckpoint(name), await backend("cpu"));
    const reference = await goldenReference(name);
    const { blocks, heads, keyValueHeads, headSize } = model.architecture;
    const ids = reference.sequences[0];
    const forward = await model.forward({ ids }, { vectors: true }, { chunk: 7 });
    await model.release();
    const [queries, keys] = [field(forward, "queries"), field(forward, "keys")];
    expect(queries.dims).toEqual([blocks.length, heads, ids.length, headSize]);
    expect(keys.dims).toEqual([blocks.length, keyValueHeads, ids.length, headSize]);
    expect(field(forward, "values").dims).toEqual(keys.dims);
    for (const [layer, { attention }] of blocks.entries()) {
      const rows = Array.from({ length: heads * ids.length }, (_, row) => {
        const [head, query] = [Math.floor(row / ids.length), row % ids.length];
        const shared = Math.floor((head * keyValueHeads) / heads);
        const scores = Array.from(
          { length: query + 1 },
          (_, key) => dot(rowOf(queries, layer, head, query), rowOf(keys, layer, shared, key)) * attention.scale,
        );
        return [...softmax(scores), ...new Array<number>(ids.length - query - 1).fill(0)];
      });
      expect(largestError(rows.flat(), await reference.read(`attentions.${layer}`, 0))).toBeLessThan(5e-5);
    }
  },
);

test("the kernels, which keep them on the GPU and choose no keys, do not take such a request or prompt", async () => {
  const model = await Model.load(await goldenCheckpoint("gemma2"), await backend("cpu"));
  const decoder = new GpuDecoder(model.architecture, model.backend, {} as GPUDevice, model.weights);
  const ids = Int32Array.of(1, 2, 3);
  expect(decoder.accepts({ ids }, { norms: true })).toBe(true);
  expect(decoder.accepts({ ids }, { norms: true, vectors: true })).toBe(false);
  const selection = { directions: new Float32Array(), rank: 1, keep: 1, from: 2, keys: 2 };
  expect(decoder.accepts({ ids, selection }, { norms: true })).toBe(false);
  await model.release();
});
