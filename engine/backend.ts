import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import type { Graph } from "./graph.js";
import type { KeptWeights, Weights } from "./weights.js";

export type Device = "cpu" | "cuda" | "webgpu" | "wasm";

/** A device that runs ONNX graphs. Node's live in loaders/, the browser's in components/; both are handed in. */
export interface Backend {
  readonly device: Device;
  /** For the passport: runtime and version, threads, adapter and driver where there is one. */
  readonly description: Record<string, string>;
  /** Where sessions run on WebGPU: the device whose buffers they share with kernels; its `adapterInfo` names it. */
  readonly gpu?: GPUDevice;
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
