import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";

export type Device = "cpu" | "cuda" | "webgpu" | "wasm";

/** A device that runs ONNX graphs. Node's live in loaders/, the browser's in components/; both are handed in. */
export interface Backend {
  readonly device: Device;
  /** For the passport: runtime and version, threads, adapter and driver where there is one. */
  readonly description: Record<string, string>;
  /** Where sessions run on WebGPU: the device whose buffers they share with kernels; its `adapterInfo` names it. */
  readonly gpu?: GPUDevice;
  /** @param weights the model's external data: each float32 weight under its own name and location */
  createSession(model: Uint8Array, weights: ReadonlyMap<string, Float32Array>): Promise<InferenceSession>;
  readonly Tensor: TensorConstructor;
}

export type { InferenceSession, Tensor };
