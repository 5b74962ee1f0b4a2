/** Attention, residual stream and logits against Hugging Face transformers, for every architecture and device. */
import { afterAll, describe, expect, test } from "vitest";
import { Model } from "../../engine/model.js";
import { replay } from "../../engine/replay.js";
import {
  architectures,
  backend,
  devices,
  field,
  goldenCheckpoint,
  goldenReference,
  largestError,
  rowOf,
  shown,
} from "./golden.js";

const table: Record<string, string>[] = [];

afterAll(() => {
  console.table(table);
});

describe.each(architectures)("%s", (name) => {
  test.each(devices)("on %s equals transformers", async (device) => {
    const model = await Model.load(await goldenCheckpoint(name), await backend(device));
    const reference = await goldenReference(name);
    const { layers } = model.architecture;
    const largest = { attention: 0, logits: 0, residual: 0 };
    for (const [sequence, ids] of reference.sequences.entries()) {
      const out = await model.forward({ ids }, { attention: true, logits: "all", norms: true });
      const attention = field(out, "attention");
      for (let layer = 0; layer < layers; layer++) {
        const size = attention.data.length / layers;
        const ours = attention.data.subarray(layer * size, (layer + 1) * size);
        const theirs = await reference.read(`attentions.${layer}`, sequence);
        largest.attention = Math.max(largest.attention, largestError(ours, theirs));
      }
      largest.logits = Math.max(
        largest.logits,
        largestError(field(out, "logits").data, await reference.read("logits", sequence)),
      );
      // transformers reports the last hidden state after the final norm; the ones before it are the residual stream.
      for (let layer = 0; layer < layers; layer++) {
        const hidden = await reference.read(`hidden_states.${layer}`, sequence);
        const width = hidden.length / reference.tokens;
        const norms = Array.from({ length: reference.tokens }, (_, t) =>
          Math.hypot(...hidden.subarray(t * width, (t + 1) * width)),
        );
        largest.residual = Math.max(largest.residual, largestError(rowOf(field(out, "residualNorm"), layer), norms));
      }
    }
    table.push({ architecture: name, device, ...shown(largest) });
    expect(largest.attention).toBeLessThan(5e-5);
    expect(largest.logits).toBeLessThan(2e-4);
    expect(largest.residual).toBeLessThan(2e-4);
    await model.release();
  });

  test("replayed in float64 equals transformers", async () => {
    const checkpoint = await goldenCheckpoint(name);
    const reference = await goldenReference(name);
    const ids = reference.sequences[0];
    const { attention, logits } = await replay(checkpoint, { ids });
    const largest = { attention: 0, logits: 0 };
    for (const [layer, heads] of attention.entries()) {
      const theirs = await reference.read(`attentions.${layer}`, 0);
      const full = heads.flatMap((rows) =>
        rows.flatMap((row) => [...row, ...new Array(ids.length - row.length).fill(0)]),
      );
      largest.attention = Math.max(largest.attention, largestError(full, theirs));
    }
    largest.logits = largestError(
      logits.flatMap((row) => [...row]),
      await reference.read("logits", 0),
    );
    table.push({ architecture: name, device: "float64", ...shown(largest) });
    expect(largest.attention).toBeLessThan(5e-5);
    expect(largest.logits).toBeLessThan(2e-4);
  });
});
