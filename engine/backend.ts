import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import type { Architecture } from "./architecture.js";
import type { Forward, ForwardOptions, Prompt, Request } from "./forward.js";
import type { Graph } from "./graph.js";
import type { KeptWeights, Weights } from "./weights.js";

export type Device = "cpu" | "cuda" | "webgpu" | "wasm";

/** A decoder whose attention a device's own kernels compute, for what they know how to. */
export interface FusedDecoder {
  /** Whether `forward` gives for this prompt all that is asked for. */
  accepts(prompt: Prompt, request: Request): boolean;
  forward(prompt: Prompt, request: Request, options: ForwardOptions): Promise<Forward>;
  release(): Promise<void>;
}

/** A device that runs ONNX graphs. Node's live in loaders/, the browser's in components/; both are handed in. */
export interface Backend {
  readonly device: Device;
  /** For the passport: runtime and version, threads, adapter and driver where there is one. */
  readonly description: Record<string, string>;
  /** Where sessions run on WebGPU: the device whose buffers they share with kernels; its `adapterInfo` names it. */
  readonly gpu?: GPUDevice;
  /** Present where the device has kernels for attention. Handed in, so that results of other devices do not depend on them. */
  readonly fused?: (architecture: Architecture, weights: Weights) => FusedDecoder;
  readonly Tensor: TensorConstructor;
  /**
   * Makes a model's weights ready for all of its sessions, where the device can do so without holding them in memory
   * once per session.
   * @param sizes number of values of each weight, by name
   */
  keepWeights?(weights: Weights, sizes: ReadonlyMap<string, number>): Promise<KeptWeights | undefined>;
  /**
   * @param weights all that the graph names
   * @param onGpu outputs that stay in buffers of `gpu`; ignored where there is none
   */
  createSession(graph: Graph, weights: Weights, onGpu?: readonly string[]): Promise<InferenceSession>;
}

export type { InferenceSession, Tensor };
