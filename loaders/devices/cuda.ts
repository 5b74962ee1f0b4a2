import type { Backend } from "../../engine/backend.js";
import { UserError } from "../../engine/errors.js";
import { Graph } from "../../engine/graph.js";
import { mapWeights } from "./mapped-weights.js";
import { mappingSession } from "./session.js";

/** An NVIDIA GPU, through onnxruntime-node's CUDA provider. */
export async function openCuda(threads: number): Promise<Backend> {
  process.env.NVIDIA_TF32_OVERRIDE ??= "0"; // float32 products would be rounded to 10 bits of fraction
  const { InferenceSession, Tensor, env } = await import("onnxruntime-node");
  env.logLevel = "fatal"; // errors are thrown, so they need no line on the terminal
  const createSession: Backend["createSession"] = async (graph, weights) => {
    const { model, options } = await mappingSession(graph, weights, threads);
    return InferenceSession.create(model, { ...options, executionProviders: ["cuda"] });
  };
  try {
    const session = await createSession(identity(), noWeights); // the provider is loaded with the first session
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
    keepWeights: mapWeights,
    createSession,
  };
}

function identity(): Graph {
  const graph = new Graph();
  graph.output("y", graph.input("x", "float32", [1]));
  return graph;
}

const noWeights = { tensor: () => Promise.reject(new Error("The graph has no weights.")) };

const firstLine = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0].replace(/\.$/, "");
