import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import type { Backend } from "../../engine/backend.js";
import { UserError } from "../../engine/errors.js";
import { weightBytes } from "../../engine/weights.js";
import { sessionSource } from "./session.js";

/** Weights are there twice, once for further sessions; with more than that, browsers end a page. */
const largestModel = 2 ** 30;

/** The reader's processor, one thread: more would need headers that static hosts do not send. */
export function openWasm(): Backend {
  env.logLevel = "error";
  env.wasm.numThreads = 1;
  env.wasm.wasmPaths = { wasm: import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm") };
  return {
    device: "wasm",
    description: { runtime: "onnxruntime-web", version: env.versions.web ?? "", threads: "1" },
    Tensor,
    async keepWeights(_, sizes) {
      const bytes = weightBytes(sizes);
      if (bytes <= largestModel) return undefined;
      throw new UserError(
        `The weights take ${(bytes / 2 ** 30).toFixed(1)} GiB as float32, but the lab takes 1 GiB: choose a smaller model.`,
      );
    },
    async createSession(graph, weights) {
      const { model, options } = await sessionSource(graph, weights);
      return InferenceSession.create(model, { ...options, executionProviders: ["wasm"] });
    },
  };
}
