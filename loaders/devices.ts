/** The devices that Node can run graphs on: onnxruntime-node, and onnxruntime-web's WebAssembly. */
import type { InferenceSession } from "onnxruntime-common";
import type { Backend } from "../engine/backend.js";
import { UserError } from "../engine/errors.js";

export interface DeviceOptions {
  /** Threads within one operator; default 1. */
  readonly threads?: number;
}

const externalData = (weights: ReadonlyMap<string, Float32Array>) =>
  [...weights].map(([path, values]) => ({
    path,
    data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  }));

const sessionOptions = (threads: number, weights: ReadonlyMap<string, Float32Array>) =>
  ({
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
    enableMemPattern: false, // shapes change from chunk to chunk
    externalData: externalData(weights),
  }) satisfies InferenceSession.SessionOptions;

async function openCpu(threads: number): Promise<Backend> {
  const { InferenceSession, Tensor, env } = await import("onnxruntime-node");
  env.logLevel = "error";
  return {
    device: "cpu",
    description: { runtime: "onnxruntime-node", version: env.versions.node ?? "", threads: String(threads) },
    Tensor,
    createSession: (model, weights) =>
      InferenceSession.create(model, { ...sessionOptions(threads, weights), executionProviders: ["cpu"] }),
  };
}

async function openWasm(threads: number): Promise<Backend> {
  const { InferenceSession, Tensor, env } = await import("onnxruntime-web/wasm");
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

/** @throws {UserError} where there is no such device */
export async function openBackend(device: string, { threads = 1 }: DeviceOptions = {}): Promise<Backend> {
  switch (device) {
    case "cpu":
      return openCpu(threads);
    case "wasm":
      return openWasm(threads);
    default:
      throw new UserError(`There is no device ${JSON.stringify(device)} here; cpu and wasm can be had.`);
  }
}
