import type { Backend } from "../../engine/backend.js";
import { sessionOptions } from "./session.js";

/** The processor, through onnxruntime-web's WebAssembly: what a browser without WebGPU has. */
export async function openWasm(threads: number): Promise<Backend> {
  const { InferenceSession, Tensor, env } = await import("onnxruntime-web");
  env.logLevel = "error";
  env.wasm.numThreads = threads;
  return {
    device: "wasm",
    description: { runtime: "onnxruntime-web", version: env.versions.web ?? "", threads: String(threads) },
    Tensor,
    createSession: (model, weights) =>
      InferenceSession.create(model, { ...sessionOptions(threads, weights), executionProviders: ["wasm"] }),
  };
}
