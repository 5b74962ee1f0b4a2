import type { InferenceSession } from "onnxruntime-common";
import type { Graph } from "../../engine/graph.js";
import type { Weights } from "../../engine/weights.js";

/** What to create a session of onnxruntime-web from. */
export interface SessionSource {
  readonly model: Uint8Array;
  readonly options: InferenceSession.SessionOptions;
}

export async function sessionSource(graph: Graph, weights: Weights): Promise<SessionSource> {
  const externalData: { path: string; data: Uint8Array }[] = [];
  for (const path of graph.weights.keys()) {
    const values = await weights.tensor(path);
    externalData.push({ path, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) });
  }
  const options = {
    graphOptimizationLevel: "all",
    logSeverityLevel: 3, // errors only
    enableMemPattern: false, // shapes differ from chunk to chunk
    externalData,
  } satisfies InferenceSession.SessionOptions;
  return { model: graph.encode(), options };
}
