import { expect, test } from "vitest";
import type { Backend } from "../../../engine/backend.js";
import { withProvenKernels } from "../../../loaders/runner/kernels.js";

test("models whose prompts would go through the kernels in stretches take the plain graph", () => {
  const backend = { device: "webgpu", gpu: {} } as Backend;
  const small = { width: 768, heads: 12, keyValueHeads: 12, headSize: 64 };
  expect(withProvenKernels(backend, small)).toBe(backend);
  const wide = { width: 4096, heads: 32, keyValueHeads: 8, headSize: 128 };
  expect(withProvenKernels(backend, wide).gpu).toBeUndefined();
  expect(withProvenKernels(backend, wide).device).toBe("webgpu");
  const manyHeads = { width: 768, heads: 64, keyValueHeads: 64, headSize: 128 };
  expect(withProvenKernels(backend, manyHeads).gpu).toBeUndefined();
});
