/** The bundled model through the engine equals the same weights through Hugging Face transformers. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { Model } from "../../engine/model.js";
import { fileSource } from "../../loaders/files.js";
import { backend, devices, field, rowOf } from "./golden.js";

const folder = fileURLToPath(new URL("../../data/models/observatory-8m", import.meta.url));

interface Reference {
  readonly ids: number[];
  readonly top: { id: number; logit: number }[]; // of the last position
  readonly entropy: number[]; // [layers], mean over heads and queries ≥ 1, nats
}

const reference: Reference = JSON.parse(readFileSync(`${folder}/reference.json`, "utf8"));

const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

test.each(devices)("logits and entropy on %s", async (device) => {
  const model = await Model.load(await openCheckpoint(fileSource(folder)), await backend(device));
  const out = await model.forward({ ids: Int32Array.from(reference.ids) }, { logits: "last", rows: true });
  const logits = field(out, "logits").data; // [1, vocabulary]
  for (const { id, logit } of reference.top) expect(Math.abs(logits[id] - logit)).toBeLessThan(1e-4);
  const entropy = field(out, "entropy"); // [layers, heads, queries]
  for (const [layer, expected] of reference.entropy.entries()) {
    const heads = Array.from({ length: model.architecture.heads }, (_, head) =>
      mean([...rowOf(entropy, layer, head).subarray(1)]),
    );
    expect(Math.abs(mean(heads) - expected)).toBeLessThan(1e-4);
  }
  await model.release();
});
