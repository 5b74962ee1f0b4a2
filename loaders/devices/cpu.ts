import type { Backend } from "../../engine/backend.js";
import { mapWeights } from "./mapped-weights.js";
import { mappingSession } from "./session.js";

/** The processor, through onnxruntime-node. */
export async function openCpu(threads: number): Promise<Backend> {
  const { InferenceSession, Tensor, env } = await import("onnxruntime-node");
  env.logLevel = "fatal"; // errors are thrown, so they need no line on the terminal
  return {
    device: "cpu",
    description: { runtime: "onnxruntime-node", version: env.versions.node ?? "", threads: String(threads) },
    Tensor,
    keepWeights: mapWeights,
    async createSession(graph, weights) {
      const { model, options } = await mappingSession(graph, weights, threads);
      return InferenceSession.create(model, { ...options, executionProviders: ["cpu"] });
    },
  };
}
