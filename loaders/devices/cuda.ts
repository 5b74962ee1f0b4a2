import type { Backend } from "../../engine/backend.js";
import { UserError } from "../../engine/errors.js";
import { Graph } from "../../engine/graph.js";
import { sessionOptions } from "./session.js";

/** An NVIDIA GPU, through onnxruntime-node's CUDA provider. */
export async function openCuda(threads: number): Promise<Backend> {
  process.env.NVIDIA_TF32_OVERRIDE ??= "0"; // float32 products would be rounded to 10 bits of fraction
  const { InferenceSession, Tensor, env } = await import("onnxruntime-node");
  env.logLevel = "fatal"; // errors are thrown, so they need no line on the terminal
  const createSession: Backend["createSession"] = (model, weights) =>
    InferenceSession.create(model, { ...sessionOptions(threads, weights), executionProviders: ["cuda"] });
  try {
    const session = await createSession(identity(), new Map()); // the provider is loaded with the first session
    await session.release();
  } catch (error) {
    throw new UserError(
      `cuda needs CUDA 12, cuDNN 9 and onnxruntime-node's CUDA libraries (npm rebuild onnxruntime-node --ignore-scripts=false fetches them): ${firstLine(error)}.`,
    );
  }
  return {
    device: "cuda",
    description: { runtime: "onnxruntime-node", version: env.versions.node ?? "", threads: String(threads) },
    Tensor,
    createSession,
  };
}

function identity(): Uint8Array {
  const graph = new Graph();
  graph.output("y", graph.input("x", "float32", [1]));
  return graph.encode();
}

const firstLine = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0].replace(/\.$/, "");
