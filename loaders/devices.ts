/** The devices that Node can run graphs on: onnxruntime-node, and onnxruntime-web's WebAssembly. */
import type { InferenceSession } from "onnxruntime-common";
import type { Backend } from "../engine/backend.js";
import { UserError } from "../engine/errors.js";
import { selfCheck, tolerated } from "../engine/self-check.js";

export interface DeviceOptions {
  /** Threads within one operator; default 1. */
  readonly threads?: number;
}

const openers = { cpu: openCpu, wasm: openWasm };

/**
 * @param device `cpu`, `wasm`, or `auto`: the first of them that passes its self-check
 * @throws {UserError} where there is no such device, or none that computes what it should
 */
export async function openBackend(device: string, { threads = 1 }: DeviceOptions = {}): Promise<Backend> {
  if (!Number.isSafeInteger(threads) || threads < 1) {
    throw new UserError(`threads is ${threads}, but must be a whole number of at least 1.`);
  }
  if (device === "auto") return openBest(threads);
  if (device === "cpu" || device === "wasm") return openers[device](threads);
  throw new UserError(`There is no device ${JSON.stringify(device)} here; cpu, wasm and auto can be had.`);
}

async function openBest(threads: number): Promise<Backend> {
  const refused: string[] = [];
  for (const [device, open] of Object.entries(openers)) {
    try {
      const backend = await open(threads);
      const error = await selfCheck(backend);
      if (error <= tolerated) return backend;
      refused.push(`${device} is off by ${error.toPrecision(2)} in its self-check`);
    } catch (error) {
      refused.push(`${device} fails: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new UserError(`No device can be used: ${refused.join("; ")}.`);
}

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

const sessionOptions = (threads: number, weights: ReadonlyMap<string, Float32Array>) =>
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
