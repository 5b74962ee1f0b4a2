import type { InferenceSession } from "onnxruntime-common";

/** What sessions of every runtime have in common. */
export const sessionOptions = (threads: number, weights: ReadonlyMap<string, Float32Array>) =>
  ({
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    logSeverityLevel: 3, // errors only; warnings would mix with the progress on the terminal
    enableMemPattern: false, // shapes differ from chunk to chunk
    extra: { session: { intra_op: { allow_spinning: "0" } } }, // idle threads leave the cores to other jobs
    externalData: [...weights].map(([path, values]) => ({
      path,
      data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    })),
  }) satisfies InferenceSession.SessionOptions;
