import type { Backend } from "../../engine/backend.js";
import { sessionOptions } from "./session.js";

/** The processor, through onnxruntime-node. */
export async function openCpu(threads: number): Promise<Backend> {
  const { InferenceSession, Tensor, env } = await import("onnxruntime-node");
  env.logLevel = "fatal"; // errors are thrown, so they need no line on the terminal
  return {
    device: "cpu",
    description: { runtime: "onnxruntime-node", version: env.versions.node ?? "", threads: String(threads) },
    Tensor,
    createSession: (model, weights) =>
      InferenceSession.create(model, { ...sessionOptions(threads, weights), executionProviders: ["cpu"] }),
  };
}
