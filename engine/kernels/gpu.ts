/** A WebGPU device as the kernels use it: compiled shaders kept, long work cut into short submissions, failures told. */
import { UserError } from "../errors.js";
import { tensorCores } from "./tensor-cores.js";

/** One compute shader over its data. Binding 0 belongs to the slices; `bindings` follow from 1 on. */
export interface Pass {
  readonly code: string;
  readonly bindings: readonly GPUBindingResource[];
  /** Workgroups that the shader counts from `slice.first` on. */
  readonly workgroups: number;
  /** Floating-point operations of the whole pass: what its slices are measured by. */
  readonly operations: number;
  /** Elements of the output that lie before what is bound of it: `slice.origin`. */
  readonly origin?: number;
}

/**
 * What a shader declares to be cut into slices: `group(id)` numbers the workgroups of the whole pass from 0, and is
 * `slice.end` or more for those that pad the grid.
 */
export const sliceDeclaration = `
struct Slice { first: u32, end: u32, origin: u32 }
@group(0) @binding(0) var<uniform> slice: Slice;
const gridWidth = 32768u;
fn workgroupNumber(id: vec3u) -> u32 { return slice.first + id.y * gridWidth + id.x; }
`;
const gridWidth = 32768;

/** A display driver resets a GPU that computes for about two seconds: submissions aim at a fraction of that. */
const targetMilliseconds = 200;
/** Before the device's rate is known: a third of a second on a small integrated GPU. */
const firstOperations = 2 ** 37;

export interface RunOptions {
  /** Called between submissions with the share of the work that is done. */
  readonly progress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

const gpus = new WeakMap<GPUDevice, Promise<Gpu>>();

function keep(idle: Map<number, GPUBuffer[]>, buffer: GPUBuffer): void {
  const same = idle.get(buffer.size) ?? [];
  same.push(buffer);
  idle.set(buffer.size, same);
}

export class Gpu {
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #align: number;
  #failure: string | undefined;
  /** Operations that one submission may hold, adapted to the device. */
  #budget = firstOperations;

  private constructor(
    readonly device: GPUDevice,
    /** Whether shaders can use tensor cores: see `tensorCores`. */
    readonly hasTensorCores: boolean,
  ) {
    this.#align = device.limits.minUniformBufferOffsetAlignment;
    void device.lost.then(({ reason, message }) => {
      this.#failure ??= `The GPU was lost (${reason}${message ? `: ${message.trim()}` : ""}); run again, or choose the device cpu.`;
    });
    device.addEventListener("uncapturederror", (event) => {
      this.#failure ??= `The GPU refused work: ${event.error.message}`;
    });
  }

  /** The same object for the same device. */
  static open(device: GPUDevice): Promise<Gpu> {
    const opened = gpus.get(device) ?? tensorCores(device).then((offered) => new Gpu(device, offered));
    gpus.set(device, opened);
    return opened;
  }

  /** @throws {UserError} where the device was lost or refused something */
  check(): void {
    if (this.#failure !== undefined) throw new UserError(this.#failure);
  }

  /** Buffers that nobody uses at present, by size: making one anew takes the driver milliseconds. */
  readonly #idle = new Map<number, GPUBuffer[]>();

  /** A buffer for what kernels write, with whatever it held before. @throws {UserError} where the device cannot hold that many bytes in one */
  buffer(bytes: number): GPUBuffer {
    this.#checkSize(bytes);
    const size = Math.ceil(bytes / 4) * 4;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return this.#idle.get(size)?.pop() ?? this.device.createBuffer({ size, usage });
  }

  /** Takes a buffer of `buffer` or `upload` back; work that was submitted before still finds its contents. */
  recycle(buffer: GPUBuffer): void {
    keep(this.#idle, buffer);
  }

  /** Buffers to read through, likewise. */
  readonly #staging = new Map<number, GPUBuffer[]>();

  /** Frees the memory of buffers that were recycled. */
  trim(): void {
    for (const idle of [this.#idle, this.#staging]) {
      for (const buffers of idle.values()) for (const buffer of buffers) buffer.destroy();
      idle.clear();
    }
  }

  upload(data: Float32Array | Uint32Array | Int32Array | Uint16Array): GPUBuffer {
    const buffer = this.buffer(data.byteLength);
    const whole = data.byteLength % 4 === 0 ? data : Uint16Array.from([...data, 0]); // writes are in units of 4 bytes
    this.device.queue.writeBuffer(buffer, 0, whole.buffer, whole.byteOffset, whole.byteLength);
    return buffer;
  }

  #checkSize(bytes: number): void {
    const { maxBufferSize } = this.device.limits;
    if (bytes > maxBufferSize) {
      throw new UserError(
        `A buffer of ${bytes} bytes is needed, but this GPU's are limited to ${maxBufferSize}; take a shorter prompt.`,
      );
    }
  }

  /** Runs passes in order. Their effects are visible to whatever is submitted later; only progress waits for them. */
  async run(passes: readonly Pass[], { progress, signal }: RunOptions = {}): Promise<void> {
    const pipelines = await Promise.all(passes.map(({ code }) => this.#pipeline(code)));
    const total = passes.reduce((sum, { operations }) => sum + operations, 0);
    const { queue } = this.device;
    let submitted = 0;
    let previous: Promise<void> = Promise.resolve();
    let batch = this.#batch();
    const submit = async () => {
      if (batch.operations === 0) return;
      const started = performance.now();
      const { operations } = batch;
      batch.submit();
      submitted += operations;
      const share = submitted / total;
      const done = queue.onSubmittedWorkDone().then(() => this.#adapt(operations, performance.now() - started));
      await previous; // two submissions in flight keep the device busy
      previous = done.then(() => progress?.(share));
      signal?.throwIfAborted();
      this.check();
      batch = this.#batch();
    };
    for (const [i, pass] of passes.entries()) {
      const each = Math.max(1, pass.operations) / Math.max(1, pass.workgroups);
      for (let first = 0; first < pass.workgroups; ) {
        const room = Math.floor((this.#budget - batch.operations) / each);
        if (room < 1 && batch.operations > 0) {
          await submit();
          continue;
        }
        const end = Math.min(pass.workgroups, first + Math.max(1, room));
        batch.add(pipelines[i], pass, first, end, each * (end - first));
        first = end;
      }
    }
    await submit();
    if (progress) await previous;
    this.check();
  }

  /** The contents of a buffer, once everything submitted before has run. */
  async read(buffer: GPUBuffer, bytes: number, offset = 0): Promise<ArrayBuffer> {
    const { device } = this;
    const size = Math.ceil(bytes / 4) * 4;
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
    const staging = this.#staging.get(size)?.pop() ?? device.createBuffer({ size, usage });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ);
      this.check();
      const contents = staging.getMappedRange().slice(0, bytes);
      staging.unmap();
      keep(this.#staging, staging);
      return contents;
    } catch (error) {
      staging.destroy();
      this.check(); // says why, where the device says it
      throw error;
    }
  }

  /** The device's rate, from a submission that had at most one other before it, sets how much the next may hold. */
  #adapt(operations: number, milliseconds: number): void {
    if (operations < this.#budget / 4 || milliseconds <= 0) return;
    const fitting = (operations * targetMilliseconds) / milliseconds;
    this.#budget = Math.max(2 ** 28, Math.min(fitting, 4 * this.#budget));
  }

  #pipeline(code: string): Promise<GPUComputePipeline> {
    const kept = this.#pipelines.get(code);
    if (kept) return kept;
    const module = this.device.createShaderModule({ code });
    const pipeline = this.device.createComputePipelineAsync({
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    this.#pipelines.set(code, pipeline);
    return pipeline;
  }

  /** Dispatches that go to the queue together, their slices in one uniform buffer. */
  #batch() {
    const { device } = this;
    const dispatches: { pipeline: GPUComputePipeline; pass: Pass; first: number; end: number }[] = [];
    const batch = {
      operations: 0,
      add(pipeline: GPUComputePipeline, pass: Pass, first: number, end: number, operations: number) {
        dispatches.push({ pipeline, pass, first, end });
        batch.operations += operations;
      },
      submit: () => {
        const usage = GPUBufferUsage.UNIFORM;
        const slices = device.createBuffer({ size: dispatches.length * this.#align, usage, mappedAtCreation: true });
        const words = new Uint32Array(slices.getMappedRange());
        dispatches.forEach(({ pass, first, end }, i) => {
          words.set([first, end, pass.origin ?? 0], (i * this.#align) / 4);
        });
        slices.unmap();
        const encoder = device.createCommandEncoder();
        const compute = encoder.beginComputePass();
        dispatches.forEach(({ pipeline, pass, first, end }, i) => {
          const slice = { buffer: slices, offset: i * this.#align, size: 12 };
          const entries = [slice, ...pass.bindings].map((resource, binding) => ({ binding, resource }));
          compute.setPipeline(pipeline);
          compute.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
          const count = end - first;
          compute.dispatchWorkgroups(Math.min(count, gridWidth), Math.ceil(count / gridWidth));
        });
        compute.end();
        device.queue.submit([encoder.finish()]);
        slices.destroy(); // once the submission has run
      },
    };
    return batch;
  }
}
