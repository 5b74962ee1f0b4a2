import { availableParallelism } from "node:os";
import type { Backend } from "../../engine/backend.js";
import { GpuDecoder } from "../../engine/kernels/fused.js";
import { type Dawn, keepTicking, openDawn } from "../gpu/dawn.js";
import { readingSession } from "./session.js";

/**
 * A GPU, through onnxruntime-web on Dawn. Sessions share the buffers of `backend.gpu` with kernels.
 * @param adapter part of the GPU's name
 */
export async function openWebgpu(adapter?: string): Promise<Backend> {
  const dawn = await openDawn(adapter);
  provideNavigator(dawn);
  const { InferenceSession, Tensor, env } = await import("onnxruntime-web/webgpu");
  env.logLevel = "error";
  env.wasm.numThreads = 1;
  env.webgpu.adapter = dawn.adapter; // or it would ask for one of its own
  const { vendor, architecture, description } = dawn.device.adapterInfo;
  const backend: Backend = {
    device: "webgpu",
    description: {
      runtime: "onnxruntime-web",
      version: env.versions.web ?? "",
      adapter: dawn.name,
      driver: description,
      architecture: `${vendor} ${architecture}`.trim(),
    },
    gpu: dawn.device,
    fused: (architecture, weights) => new GpuDecoder(architecture, backend, dawn.device, weights),
    Tensor,
    async createSession(graph, weights, onGpu = []) {
      const { model, options } = await readingSession(graph, weights, 1);
      const session = await InferenceSession.create(model, {
        ...options,
        preferredOutputLocation: Object.fromEntries(onGpu.map((name) => [name, "gpu-buffer"])),
        executionProviders: [{ name: "webgpu", device: dawn.device }],
      });
      keepTicking(session, "run"); // where outputs stay on the GPU, nothing else that it waits for wakes Node
      return session;
    },
  };
  return backend;
}

/** onnxruntime-web looks for WebGPU where a browser has it. */
function provideNavigator({ gpu }: Dawn): void {
  const navigator = globalThis.navigator ?? { hardwareConcurrency: availableParallelism() }; // Node has one from 21 on
  Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
  if (!globalThis.navigator) Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
}
