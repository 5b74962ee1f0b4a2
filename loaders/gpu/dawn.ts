/** WebGPU in Node: Dawn, the implementation in Chromium (npm package `webgpu`), made to behave as in a browser. */
import { constants } from "node:os";
import { create, globals } from "webgpu";
import { UserError } from "../../engine/errors.js";

/** Tensor cores and timestamps count as unsafe in Dawn, half floats on NVIDIA's Vulkan driver as untested. */
const toggles = "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia";

/** What kernels and ONNX Runtime make use of where an adapter offers it. */
const wantedFeatures = ["shader-f16", "subgroups", "timestamp-query", "chromium-experimental-subgroup-matrix"];
const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** Where Chromium brings its own Vulkan loader and SwiftShader, an adapter in software. */
const chromium = "/usr/lib/chromium";

const noVulkan =
  "webgpu needs Vulkan, but libvulkan.so.1 cannot be loaded: install it and a driver (Debian: libvulkan1, and mesa-vulkan-drivers or NVIDIA's driver).";
const noAdapter =
  "webgpu needs a GPU, but Vulkan finds none that serves: install its driver (Debian: mesa-vulkan-drivers, or NVIDIA's driver).";

export interface Dawn {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
  /** The GPU's name; what its driver says of itself where it is not clear which of several was taken. */
  readonly name: string;
}

/**
 * Opens the adapter whose name contains `name`, or the fastest one. Its device has every feature and limit that it
 * offers and kernels make use of. SwiftShader is among the adapters only where `OBSERVATORY_SWIFTSHADER` is 1.
 * @param name by default `OBSERVATORY_ADAPTER`
 * @throws {UserError} where there is no Vulkan, no adapter, or none of that name
 */
export async function openDawn(name = process.env.OBSERVATORY_ADAPTER): Promise<Dawn> {
  prepare();
  if (name) await refuseUnknown(name);
  const gpu = dawn(name);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new UserError(noAdapter);
  const requiredFeatures = wantedFeatures.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
  const requiredLimits = Object.fromEntries(wantedLimits.map((limit) => [limit, adapter.limits[limit]]));
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  const candidates = (await adapterNames()).filter((known) => known.includes(name ?? ""));
  return { gpu, adapter, device, name: candidates.length === 1 ? candidates[0] : device.adapterInfo.description };
}

/** The names of all adapters; empty where Vulkan finds none. @throws {UserError} where there is no Vulkan */
export async function adapterNames(): Promise<string[]> {
  prepare();
  return (await namesWithout("a name that no adapter has")) ?? [];
}

async function refuseUnknown(name: string): Promise<void> {
  const others = await namesWithout(name);
  if (!others) return;
  throw new UserError(
    `There is no GPU called ${JSON.stringify(name)}: Vulkan finds ${others.length === 0 ? "none" : others.join(", ")}.`,
  );
}

/** All adapters, if none has this name: Dawn lists them only in the message with which it refuses a name. */
async function namesWithout(name: string): Promise<string[] | undefined> {
  try {
    await dawn(name).requestAdapter();
    return undefined;
  } catch (error) {
    return [...String(error).matchAll(/name: '([^']*)'/g)].map(([, found]) => found);
  }
}

/** A GPU object that is collected takes the process down, so they are kept. */
const kept: GPU[] = [];

function dawn(name: string | undefined): GPU {
  const gpu = create(name ? [toggles, `adapter=${name}`] : [toggles]);
  kept.push(gpu);
  return gpu;
}

let prepared = false;

/** Once per process: looks for Vulkan, and gives Node what it lacks. */
function prepare(): void {
  if (prepared) return;
  if (process.platform === "linux") findVulkan();
  Object.assign(globalThis, globals);
  copySharedMemory();
  keepTicking(GPUBuffer.prototype, "mapAsync");
  keepTicking(GPUQueue.prototype, "onSubmittedWorkDone");
  keepTicking(GPUDevice.prototype, "createComputePipelineAsync");
  prepared = true;
}

function findVulkan(): void {
  const software = process.env.OBSERVATORY_SWIFTSHADER === "1";
  if (software) process.env.VK_ADD_DRIVER_FILES ??= `${chromium}/vk_swiftshader_icd.json`;
  const library = "libvulkan.so.1";
  const places = software ? [library, `${chromium}/${library}`] : [library];
  if (!places.some(load)) throw new UserError(noVulkan);
}

/** Loads a shared library for good, so that Dawn's own request for its name finds it in the process. */
function load(library: string): boolean {
  const keepLoaded = 0x1000; // RTLD_NODELETE
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_LAZY | keepLoaded);
    return true;
  } catch (error) {
    return String(error).includes("did not self-register"); // it was loaded, and Node then missed an addon in it
  }
}

/** Dawn's binding crashes on views of shared memory, which ONNX Runtime's heap is. */
function copySharedMemory(): void {
  const { prototype } = GPUQueue;
  const { writeBuffer } = prototype;
  prototype.writeBuffer = function (buffer, offset, data, from = 0, size) {
    const [memory, base] = ArrayBuffer.isView(data) ? [data.buffer, data.byteOffset] : [data, 0];
    const unit = "BYTES_PER_ELEMENT" in data ? Number(data.BYTES_PER_ELEMENT) : 1; // of `from` and `size`
    const bytes = size === undefined ? data.byteLength - from * unit : size * unit;
    const view = [base + from * unit, bytes] as const;
    const own =
      memory instanceof SharedArrayBuffer ? new Uint8Array(memory, ...view).slice() : new Uint8Array(memory, ...view);
    return writeBuffer.call(this, buffer, offset, own);
  };
}

let pending = 0;
let asked = 0;
let ticking = false;

/** What comes at once is looked for without a pause, and after this long every millisecond. */
const impatient = 20; // ms

/** Dawn's callbacks can starve while Node's event loop sleeps, so it is kept awake until what was asked for is there. */
export function keepTicking<K extends string>(
  prototype: { [name in K]: (...args: never[]) => Promise<unknown> },
  name: K,
) {
  const method = prototype[name];
  prototype[name] = async function (this: unknown, ...args) {
    asked = performance.now();
    ++pending;
    if (!ticking) tick();
    try {
      return await method.apply(this, args);
    } finally {
      --pending;
    }
  };
}

function tick(): void {
  ticking = pending > 0;
  if (!ticking) return;
  if (performance.now() - asked < impatient) setImmediate(tick);
  else setTimeout(tick, 1);
}
