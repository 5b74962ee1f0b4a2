import type { Backend } from "../../engine/backend.js";
import { UserError } from "../../engine/errors.js";
import { GpuDecoder } from "../../engine/kernels/fused.js";
import { sessionSource } from "./session.js";

/** Asks for a graphics processor, and loads nothing. @throws {UserError} saying what this browser lacks */
export async function findAdapter(): Promise<GPUAdapter> {
  if (!navigator.gpu) throw new UserError("this browser offers no WebGPU");
  if (!("Suspending" in WebAssembly)) throw new UserError("this browser lacks JavaScript Promise Integration");
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new UserError("this browser finds no graphics processor that it trusts");
  if (adapter.info.isFallbackAdapter) throw new UserError("it is no graphics processor here but software");
  return adapter;
}

/**
 * The reader's graphics processor. ONNX Runtime comes in the build for JavaScript Promise Integration, whose module is
 * small enough for every static host; browsers without that stay with WebAssembly.
 * @throws {UserError} saying what this browser lacks
 */
export async function openWebgpu(): Promise<Backend> {
  const adapter = await findAdapter();
  const device = await adapter.requestDevice({
    requiredFeatures: wantedFeatures.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]])),
  });
  const { InferenceSession, Tensor, env } = await import("onnxruntime-web/jspi");
  env.logLevel = "error";
  env.wasm.numThreads = 1;
  env.wasm.wasmPaths = { wasm: import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm") };
  env.webgpu.adapter = adapter; // or it would ask for one of its own
  const { vendor, architecture, description } = adapter.info;
  const backend: Backend = {
    device: "webgpu",
    description: {
      runtime: "onnxruntime-web",
      version: env.versions.web ?? "",
      adapter: description || `${vendor} ${architecture}`.trim(),
    },
    gpu: device,
    fused: (architecture, weights) => new GpuDecoder(architecture, backend, device, weights),
    Tensor,
    async createSession(graph, weights, onGpu = []) {
      const { model, options } = await sessionSource(graph, weights);
      return InferenceSession.create(model, {
        ...options,
        preferredOutputLocation: Object.fromEntries(onGpu.map((name) => [name, "gpu-buffer"])),
        executionProviders: [{ name: "webgpu", device }],
      });
    },
  };
  return backend;
}

/** What kernels and ONNX Runtime make use of where an adapter offers it. */
const wantedFeatures: readonly GPUFeatureName[] = ["shader-f16", "subgroups"];
const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
] as const satisfies readonly (keyof GPUSupportedLimits)[];
