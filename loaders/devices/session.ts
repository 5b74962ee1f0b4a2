import { basename } from "node:path";
import type { InferenceSession } from "onnxruntime-common";
import type { Graph } from "../../engine/graph.js";
import type { Weights } from "../../engine/weights.js";
import { isSmall, placesOf } from "./mapped-weights.js";

/** What to create a session from. */
export interface SessionSource {
  readonly model: Uint8Array;
  readonly options: InferenceSession.SessionOptions;
}

const common = (threads: number) =>
  ({
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    logSeverityLevel: 3, // errors only; warnings would mix with the progress on the terminal
    enableMemPattern: false, // shapes differ from chunk to chunk
  }) satisfies InferenceSession.SessionOptions;

/** Packed weights make products about an eighth faster, and are a second copy. */
const sessionConfig = (weights: ReadonlyMap<string, number>) => ({
  intra_op: { allow_spinning: "0" }, // idle threads leave the cores to other jobs
  disable_prepacking: isSmall(weights) ? "0" : "1",
});

/** A session that holds its weights itself. */
export async function readingSession(graph: Graph, weights: Weights, threads: number): Promise<SessionSource> {
  const externalData: { path: string; data: Uint8Array }[] = [];
  for (const path of graph.weights.keys()) {
    const values = await weights.tensor(path);
    externalData.push({ path, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) });
  }
  return {
    model: graph.encode(),
    options: { ...common(threads), extra: { session: sessionConfig(graph.weights) }, externalData },
  };
}

/** A session of onnxruntime-node, which can map the weights of a large model instead of copying them. */
export async function mappingSession(graph: Graph, weights: Weights, threads: number): Promise<SessionSource> {
  const mapped = await placesOf(weights, graph.weights);
  if (!mapped) return readingSession(graph, weights, threads);
  const { folder, places } = mapped;
  const model = graph.encode((name) => {
    const place = places.get(name);
    if (!place) throw new Error(`The weight ${name} has no place.`);
    return { location: basename(place.path), offset: place.start, length: place.end - place.start };
  });
  const session = { ...sessionConfig(graph.weights), model_external_initializers_file_folder_path: folder };
  return { model, options: { ...common(threads), extra: { session } } };
}
