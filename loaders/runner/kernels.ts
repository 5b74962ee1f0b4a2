/** Whether a job may take the fused kernels of a GPU. */
import type { Architecture } from "../../engine/architecture.js";
import type { Backend } from "../../engine/backend.js";
import { activationMemory } from "../../engine/kernels/fused-pass.js";

/** The longest prompts of the experiments. */
const tokens = 4096;

/**
 * Statistics of prompts that go through the fused kernels in stretches have been seen to be wrong on a GPU. A model so
 * wide that prompts of experiments would is run by the plain graph on the same device, which is slower and right.
 */
export function withProvenKernels(
  backend: Backend,
  { width, heads, keyValueHeads, headSize }: Pick<Architecture, "width" | "heads" | "keyValueHeads" | "headSize">,
): Backend {
  const bytesPerToken = 4 * Math.max(4 * width, (heads + 2 * keyValueHeads) * headSize);
  return bytesPerToken * tokens <= activationMemory ? backend : { ...backend, gpu: undefined };
}
