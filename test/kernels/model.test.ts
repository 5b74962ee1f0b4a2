/**
 * Whole models through the kernels: every statistic that they give, against float64, for each thing that changes scores.
 * @module-tag wide
 */
import { expect, test } from "vitest";
import type { Broadcast, Prompt, Request } from "../../engine/forward.js";
import { duplicateTargets, inductionTargets, previousTargets } from "../../engine/metrics/patterns.js";
import { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { replay } from "../../engine/replay.js";
import { full } from "../full.js";
import { errors, expected } from "../golden/expected.js";
import { backend, goldenCheckpoint, goldenReference } from "../golden/golden.js";
import "./device.js";

const tolerance = 5e-4;
const random = new Random(3);
const filled = (dims: readonly number[], value: () => number): Broadcast => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, value),
});

function requestFor(ids: Int32Array): Request {
  const weights = () => Float32Array.from(ids, () => random.next());
  return {
    rows: true,
    keySegments: [weights(), new Float32Array(ids.length).fill(1, 3, 9)],
    queryGroups: [new Float32Array(ids.length).fill(1), weights()],
    targets: [previousTargets(ids.length), duplicateTargets(ids), inductionTargets(ids)],
    distances: true,
    norms: true,
    logits: "all",
  };
}

/** Grouped queries, rotary positions, soft caps and windows in turns. */
const name = "gemma2";

// Compiling a model's shaders in software takes minutes; every day browser.test.ts has one, without interventions.
test.runIf(full)(`${name} equals the float64 reference, under interventions and in stretches too`, async () => {
  const checkpoint = await goldenCheckpoint(name);
  const model = await Model.load(checkpoint, await backend("webgpu"));
  const { layers, heads } = model.architecture;
  const ids = (await goldenReference(name)).sequences[0];
  const request = requestFor(ids);
  const changed: Prompt = {
    ids,
    pieces: Int32Array.from(ids, (_, t) => (t < 3 ? 0 : t < 10 ? 1 : t < 18 ? 2 : -1)),
    keyBias: filled([layers, heads, ids.length], () => random.normal()),
    headGate: filled([layers, heads], () => random.normal()),
    temperature: filled([layers, heads], () => 0.3 + 2 * random.next()),
  };
  for (const [prompt, chunk] of [[{ ids }], [changed], [changed, 10]] as const) {
    expect(model.backend.fused?.(model.architecture, model.weights).accepts(prompt, request)).toBe(true);
    const reference = expected(await replay(checkpoint, prompt), prompt, request);
    for (const [field, error] of Object.entries(errors(await model.forward(prompt, request, { chunk }), reference))) {
      expect(error, field).toBeLessThan(tolerance);
    }
  }
  await model.release();
});
