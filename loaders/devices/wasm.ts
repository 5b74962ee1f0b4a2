import type { Backend } from "../../engine/backend.js";
import { UserError } from "../../engine/errors.js";
import { weightBytes } from "../../engine/weights.js";
import { readingSession } from "./session.js";

/** WebAssembly has 4 GiB of memory at most; a session needs some besides its weights. */
const largestModel = 3.5 * 2 ** 30;

/** The processor, through onnxruntime-web's WebAssembly: what a browser without WebGPU has. */
export async function openWasm(threads: number): Promise<Backend> {
  const { InferenceSession, Tensor, env } = await import("onnxruntime-web");
  env.logLevel = "error";
  env.wasm.numThreads = threads;
  return {
    device: "wasm",
    description: { runtime: "onnxruntime-web", version: env.versions.web ?? "", threads: String(threads) },
    Tensor,
    async keepWeights(_, sizes) {
      const bytes = weightBytes(sizes);
      if (bytes <= largestModel) return undefined;
      throw new UserError(
        `The weights take ${(bytes / 2 ** 30).toFixed(1)} GiB as float32, but wasm can hold 3.5 GiB: use another device.`,
      );
    },
    async createSession(graph, weights) {
      const { model, options } = await readingSession(graph, weights, threads);
      return InferenceSession.create(model, { ...options, executionProviders: ["wasm"] });
    },
  };
}
