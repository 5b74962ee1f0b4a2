/**
 * `observatory bench gpu`: the kernels and whole models on the GPU, beside the card's own ceilings and, where `python3`
 * has PyTorch, beside what PyTorch takes for the same statistics, all in one run.
 */
import { join } from "node:path";
import { quantile } from "../../engine/interval.js";
import { AttentionLayer } from "../../engine/kernels/attention.js";
import { Gpu } from "../../engine/kernels/gpu.js";
import type { FloatType } from "../../engine/kernels/scoring.js";
import { Model } from "../../engine/model.js";
import { Random } from "../../engine/random.js";
import { openBackend } from "../devices.js";
import { fromHalf } from "../gpu/half.js";
import { GpuMemory } from "../gpu/memory.js";
import { headSize, heads, Pool, randomModel } from "../gpu/random-model.js";
import { dataFolder, projectPath } from "../project.js";
import { checkout, packageVersion } from "../runner/provenance.js";
import { writeFlushed } from "../store/system.js";
import { say } from "../terminal.js";
import { type Peer, runTorch, type TorchResult } from "./torch.js";

export interface GpuMeasurement {
  readonly name: "rows" | "columns" | "rows+columns" | "model";
  readonly dtype: FloatType;
  readonly T: number;
  readonly heads: number;
  readonly headSize: number;
  /** Median of the samples, in milliseconds. */
  readonly ours_ms: number;
  readonly samples_ms: readonly number[];
  /**
   * Memory of the GPU in use, less what was in use before anything was allocated, in megabytes: an upper bound, because
   * drivers are slow to give back what earlier measurements needed.
   */
  readonly peak_mb: number | null;
  readonly pytorch_eager_ms: number | null;
  readonly pytorch_eager_dtype: string | null;
  readonly pytorch_peak_mb: number | null;
  readonly pytorch_out_of_memory: boolean;
  readonly sdpa_ms: number | null;
  /** Largest difference from float64: of some rows' entropies, in nats, and of what some keys receive, in parts of it. */
  readonly error: number | null;
}

export interface GpuBenchmark {
  readonly date: string;
  readonly device: string;
  readonly driver: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly commit?: string;
  readonly clean?: boolean;
  /** What the card does at best, measured: copies counting bytes read and written, products of two large matrices. */
  readonly ceilings: {
    readonly copy_gb_per_s: number | null;
    /** By WebGPU's command to copy buffers, which may not be the fastest way. */
    readonly webgpu_copy_gb_per_s: number;
    readonly float32_tflops: number | null;
    readonly bfloat16_tflops: number | null;
  };
  readonly measurements: readonly GpuMeasurement[];
}

const layers = 12;
const repeats = 7;
const lengths = [1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072];
const torchLengths = [1024, 4096, 8192, 16_384, 32_768];
const modelLengths = [1024, 4096, 8192, 16_384, 32_768];

const median = (samples: readonly number[]): number => quantile(samples, 0.5);

export async function benchGpu(file = join(dataFolder, "benchmarks/gpu.json")): Promise<void> {
  say("PyTorch first, where there is one");
  const torch = await runTorch(torchLengths, modelLengths);
  const memory = await GpuMemory.open();
  const backend = await openBackend("webgpu");
  if (!backend.gpu) throw new Error("The webgpu backend has no GPU.");
  const gpu = await Gpu.open(backend.gpu);
  const ceilings = {
    copy_gb_per_s: torch?.device.copy_gb_per_s ?? null,
    webgpu_copy_gb_per_s: await copyRate(gpu),
    float32_tflops: torch?.device.float32_tflops ?? null,
    bfloat16_tflops: torch?.device.bfloat16_tflops ?? null,
  };
  const measurements: GpuMeasurement[] = [];
  for (const type of ["f32", "f16"] as const) {
    for (const T of lengths) {
      measurements.push(...(await measureLayer(gpu, type, T, torch, memory)));
      line(measurements[measurements.length - 1]);
    }
  }
  const model = await Model.load(randomModel(layers), backend);
  for (const T of modelLengths) {
    measurements.push(await measureModel(model, gpu, T, torch, memory));
    line(measurements[measurements.length - 1]);
  }
  await model.release();
  memory.close();
  const { description, vendor } = gpu.device.adapterInfo;
  const benchmark: GpuBenchmark = {
    date: new Date().toISOString(),
    device: memory.name ?? (description || vendor),
    driver: memory.driver ?? description,
    versions: {
      "attention-observatory": await packageVersion(),
      node: process.versions.node,
      "onnxruntime-web": backend.description.version,
      ...(torch ? { torch: torch.device.torch, cuda: torch.device.cuda } : {}),
    },
    ...(await checkout()),
    ceilings,
    measurements,
  };
  await writeFlushed(file, `${JSON.stringify(benchmark, null, 1)}\n`);
  say(`Written to ${projectPath(file)}.`);
}

function line({ name, dtype, T, ours_ms, peak_mb, pytorch_eager_ms, error }: GpuMeasurement): void {
  const beside = pytorch_eager_ms === null ? "" : `  PyTorch ${pytorch_eager_ms.toFixed(1)} ms`;
  const memory = peak_mb === null ? "" : `  ${peak_mb.toFixed(0)} MB`;
  const off = error === null ? "" : `  off by ${error.toExponential(1)}`;
  console.log(
    `${name.padEnd(12)} ${dtype}  T = ${String(T).padStart(6)}  ${ours_ms.toFixed(2)} ms${memory}${beside}${off}`,
  );
}

/** Milliseconds of each repetition, after the device has been busy for a while: idle ones clock down. */
async function timed(gpu: Gpu, work: () => Promise<unknown>): Promise<number[]> {
  const once = async () => {
    const start = performance.now();
    await work();
    await gpu.device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  const start = performance.now();
  do await once();
  while (performance.now() - start < 400);
  const samples: number[] = [];
  for (let i = 0; i < repeats; i++) samples.push(await once());
  return samples;
}

/** Gigabytes read and written per second by a copy within the GPU's memory. */
async function copyRate(gpu: Gpu): Promise<number> {
  const bytes = Math.min(2 ** 28, gpu.device.limits.maxBufferSize); // more than a cache holds
  const copies = 32;
  const [source, target] = [gpu.buffer(bytes), gpu.buffer(bytes)];
  const samples = await timed(gpu, async () => {
    const encoder = gpu.device.createCommandEncoder();
    for (let i = 0; i < copies; i++) encoder.copyBufferToBuffer(source, 0, target, 0, bytes);
    gpu.device.queue.submit([encoder.finish()]);
  });
  source.destroy();
  target.destroy();
  await gpu.device.queue.onSubmittedWorkDone();
  return (copies * 2 * bytes) / median(samples) / 1e6;
}

/** Begins to watch memory anew: what was destroyed is freed only when later work has ended. */
async function settle(gpu: Gpu, memory: GpuMemory): Promise<void> {
  const { queue } = gpu.device;
  const small = gpu.buffer(4);
  for (let i = 0; i < 3; i++) {
    const encoder = gpu.device.createCommandEncoder();
    encoder.clearBuffer(small);
    queue.submit([encoder.finish()]);
    await queue.onSubmittedWorkDone();
  }
  small.destroy();
  await memory.reset();
}

async function measureLayer(
  gpu: Gpu,
  type: FloatType,
  T: number,
  torch: TorchResult | undefined,
  memory: GpuMemory,
): Promise<GpuMeasurement[]> {
  const pool = new Pool();
  const [queries, keys] = [0, 1].map(() => pool.draw(heads * T * headSize, type));
  await settle(gpu, memory);
  const [queryBuffer, keyBuffer] = [gpu.upload(queries), gpu.upload(keys)];
  const layer = new AttentionLayer(gpu, {
    shape: { heads, keyValueHeads: heads, headSize, queries: T, keys: T },
    scoring: { scale: headSize ** -0.5, causal: true },
    queries: { buffer: queryBuffer, type },
    keys: { buffer: keyBuffer, type },
  });
  const everyQuery = [new Float32Array(T).fill(1)];
  const { rows } = layer.rows();
  const [received] = layer.received(everyQuery);
  await layer.run();
  const exact = new Float64Sample(
    type === "f32" ? queries : Float32Array.from(queries, fromHalf),
    type === "f32" ? keys : Float32Array.from(keys, fromHalf),
    T,
  );
  const statistics = new Float32Array(await gpu.read(rows.buffer, 16 * heads * T)); // [heads, queries, 4]
  const errors = {
    rows: exact.worstEntropy(statistics),
    columns: exact.worstReceived(statistics, new Float32Array(await gpu.read(received.buffer, 4 * heads * T))),
  };
  const run = (queue: () => void) =>
    timed(gpu, () => {
      queue();
      return layer.run();
    });
  const samples = {
    rows: await run(() => layer.rows()),
    columns: await run(() => layer.received(everyQuery)),
    "rows+columns": await run(() => {
      layer.rows();
      layer.received(everyQuery);
    }),
  };
  const peak = memory.peak();
  layer.release();
  for (const buffer of [queryBuffer, keyBuffer]) buffer.destroy();
  gpu.trim();
  await gpu.device.queue.onSubmittedWorkDone();
  return (["rows", "columns", "rows+columns"] as const).map((name) => ({
    name,
    dtype: type,
    T,
    heads,
    headSize,
    ours_ms: median(samples[name]),
    samples_ms: samples[name],
    peak_mb: peak,
    ...beside(name === "rows+columns" ? torch?.peer("layer", T, type === "f32" ? "float32" : "bfloat16") : undefined),
    error: name === "rows+columns" ? Math.max(errors.rows, errors.columns) : errors[name],
  }));
}

const beside = (peer: Peer | undefined) => ({
  pytorch_eager_ms: peer?.eager_ms ?? null,
  pytorch_eager_dtype: peer?.dtype ?? null,
  pytorch_peak_mb: peer?.out_of_memory ? null : (peer?.peak_mb ?? null),
  pytorch_out_of_memory: peer?.out_of_memory ?? false,
  sdpa_ms: peer?.sdpa_ms ?? null,
});

/** Some rows and keys in float64, and how far from them kernels are. */
class Float64Sample {
  private readonly places: readonly number[];

  constructor(
    private readonly queries: ArrayLike<number>, // [heads, T, headSize]
    private readonly keys: ArrayLike<number>, // [heads, T, headSize]
    private readonly T: number,
  ) {
    const random = new Random(5);
    this.places = [T - 1, T >> 1, ...Array.from({ length: 6 }, () => random.int(T))];
  }

  /** The largest difference of an entropy. `statistics`: [heads, T, 4]. */
  worstEntropy(statistics: Float32Array): number {
    return this.worst((head, query) => {
      const scores = Float64Array.from({ length: query + 1 }, (_, key) => this.score(head, query, key));
      const largest = scores.reduce((a, b) => Math.max(a, b));
      let total = 0;
      let expected = 0;
      for (const s of scores) {
        const p = Math.exp(s - largest);
        total += p;
        expected += p * (s - largest);
      }
      return Math.abs(Math.log(total) - expected / total - statistics[4 * (head * this.T + query) + 2]);
    });
  }

  /**
   * The largest difference of attention received, in parts of it where it is more than 1. What normalises each row is
   * the row pass's, whose entropies are checked by themselves: to have it in float64 would take as long as attention.
   */
  worstReceived(statistics: Float32Array, received: Float32Array): number {
    return this.worst((head, key) => {
      let sum = 0;
      for (let query = key; query < this.T; query++) {
        const normalisation = statistics[4 * (head * this.T + query) + 1] * Math.LN2;
        sum += Math.exp(this.score(head, query, key) - normalisation);
      }
      return Math.abs(sum - received[head * this.T + key]) / Math.max(1, sum);
    });
  }

  private worst(difference: (head: number, place: number) => number): number {
    return Math.max(...this.places.map((place, i) => difference(i % heads, place)));
  }

  private score(head: number, query: number, key: number): number {
    let s = 0;
    for (let d = 0; d < headSize; d++) {
      s += this.queries[(head * this.T + query) * headSize + d] * this.keys[(head * this.T + key) * headSize + d];
    }
    return s * headSize ** -0.5;
  }
}

/** Entropy and maximum of every row, mass on the first four keys and attention received, of every layer and head. */
async function measureModel(
  model: Model,
  gpu: Gpu,
  T: number,
  torch: TorchResult | undefined,
  memory: GpuMemory,
): Promise<GpuMeasurement> {
  const ids = Int32Array.from({ length: T }, (_, i) => (i * 7919) % model.architecture.vocabulary);
  const request = {
    rows: true,
    keySegments: [new Float32Array(T).fill(1, 0, 4)],
    queryGroups: [new Float32Array(T).fill(1)],
  };
  await settle(gpu, memory);
  const samples = await timed(gpu, () => model.forward({ ids }, request));
  const peak = memory.peak();
  gpu.trim();
  return {
    name: "model",
    dtype: "f32",
    T,
    heads,
    headSize,
    ours_ms: median(samples),
    samples_ms: samples,
    peak_mb: peak,
    ...beside(torch?.peer("model", T, "float32")),
    error: null,
  };
}
