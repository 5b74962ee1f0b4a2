/** What the benchmark of the processor measures, each in a process of its own: see measure.ts. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint, readConfig } from "../../engine/checkpoint.js";
import type { Forward, Prompt, Request } from "../../engine/forward.js";
import { visibleKeys } from "../../engine/mask.js";
import { type RowMetric, rowMetrics, rowRequest } from "../../engine/metrics/columns.js";
import { Model } from "../../engine/model.js";
import { randomCheckpoint, weightsFile } from "../../engine/random-weights.js";
import { openBackend } from "../devices.js";
import { fileSource } from "../files.js";
import { bundledModel } from "../project.js";
import { peakMemory } from "../runner/provenance.js";
import { writeFlushed } from "../store/system.js";

export const threads = 1;
const repeats = 7;

/** GPT-2 small: 124 million parameters, 498 MB as float32. */
const gpt2Small = {
  model_type: "gpt2",
  vocab_size: 50257,
  n_positions: 1024,
  n_embd: 768,
  n_layer: 12,
  n_head: 12,
  activation_function: "gelu_new",
  layer_norm_epsilon: 1e-5,
  initializer_range: 0.02,
};

const everyQuery = (tokens: number) => new Float32Array(tokens).fill(1);

/** All row metrics and the attention that keys receive. */
const allStatistics = (tokens: number): Request => ({ ...rowRequest(tokens), queryGroups: [everyQuery(tokens)] });

/** Any tokens do: neither time nor memory depends on them. */
const prompt = (tokens: number, vocabulary: number): Prompt => ({
  ids: Int32Array.from({ length: tokens }, (_, i) => (i * 7919) % vocabulary),
});

const load = async (folder: string) =>
  Model.load(await openCheckpoint(fileSource(folder)), await openBackend("cpu", { threads }));

async function timed<T>(work: () => Promise<T>): Promise<Duration & { readonly result: T }> {
  const start = performance.now();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - start) / 1000, processorSeconds: (user + system) / 1e6, result };
}

export interface Duration {
  readonly seconds: number;
  /** Of all threads; other work on the machine does not change it much. */
  readonly processorSeconds: number;
}

export interface MemoryAtLength {
  readonly tokens: number;
  readonly seconds: number;
  /** Peak of the process with the model loaded and one chunk run, in bytes. */
  readonly model: number;
  /** Peak of the process after the whole prompt with all row metrics, in bytes. */
  readonly peak: number;
}

export interface Loading {
  readonly weights: number;
  readonly seconds: number;
  /** Peak of the process with the weights loaded and one token run through them, in bytes. */
  readonly peak: number;
}

export interface Overhead {
  readonly tokens: number;
  /** Each repetition, taken in turns. */
  readonly logits: readonly Duration[];
  readonly rowMetrics: readonly Duration[];
  readonly rowMetricsWithTopMass: readonly Duration[];
  /** Bytes of all row metrics and of the attention received, as float32, and which they are. */
  readonly output: number;
  readonly metrics: readonly string[];
}

export const measures = {
  /** Writes a checkpoint of GPT-2 small's shape with random weights. */
  async checkpoint(folder: string): Promise<{ readonly folder: string }> {
    const config = new TextEncoder().encode(JSON.stringify(gpt2Small));
    const only = { name: "gpt2-small", size: async () => config.length, read: async () => config.slice() };
    const described = await readConfig(only);
    const hashes = { config: "", weights: "" };
    const tensor = () => Promise.reject(new Error("It has no weights but random ones."));
    const random = randomCheckpoint({ ...described, name: only.name, hashes, metadata: {}, tensor }, 0);
    await writeFlushed(join(folder, "model.safetensors"), await weightsFile(random));
    await writeFlushed(join(folder, "config.json"), config);
    return { folder };
  },

  /** The bundled model over a prompt of this length, with all row metrics and the loss. */
  async memory(tokens: number): Promise<MemoryAtLength> {
    const model = await load(bundledModel);
    const { vocabulary } = model.architecture;
    await model.forward(prompt(128, vocabulary), { ...allStatistics(128), logits: "loss" });
    const own = await peak();
    const request: Request = { ...allStatistics(tokens), logits: "loss" };
    const { seconds } = await timed(() => model.forward(prompt(tokens, vocabulary), request));
    return { tokens, seconds, model: own, peak: await peak() };
  },

  async loading(folder: string): Promise<Loading> {
    const weights = (await fileSource(folder).size("model.safetensors")) ?? 0;
    const { seconds } = await timed(async () => {
      const model = await load(folder);
      await model.forward(prompt(1, model.architecture.vocabulary), { logits: "last" });
    });
    return { weights, seconds, peak: await peak() };
  },

  /** Statistics against logits alone, in turns, so that what else the machine does meets all of them. */
  async overhead(folder: string): Promise<Overhead> {
    const tokens = 1024;
    const { topMass: _, ...withoutTopMass } = allStatistics(tokens);
    const requests = [{}, withoutTopMass, allStatistics(tokens)].map((request) => ({
      ...request,
      logits: "last" as const,
    }));
    const models = [await load(folder), await load(folder), await load(folder)]; // one keeps one session
    const given = prompt(tokens, models[0].architecture.vocabulary);
    const durations: Duration[][] = [[], [], []];
    let output = 0;
    for (let repeat = -1; repeat < repeats; repeat++) {
      for (const [i, model] of models.entries()) {
        const { result, ...duration } = await timed(() => model.forward(given, requests[i]));
        if (repeat >= 0) durations[i].push(duration); // the first one of each creates its session
        if (i === 2) output = outputBytes(result, given);
      }
    }
    const [logits, withoutTop, withTop] = durations;
    const metrics = rowMetrics.map(({ metric }) => metric.id);
    return { tokens, logits, rowMetrics: withoutTop, rowMetricsWithTopMass: withTop, output, metrics };
  },
};

function outputBytes(forward: Forward, given: Prompt): number {
  if (!forward.entropy || !forward.received) throw new Error("The forward pass lacks what it was asked for.");
  const [layers, heads] = forward.entropy.dims;
  const visible = visibleKeys(given);
  const bytes = ({ values }: RowMetric, place: { layer: number; head: number }) =>
    values(forward, place, visible).byteLength;
  let sum = forward.received.data.byteLength;
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      for (const metric of rowMetrics) sum += bytes(metric, { layer, head });
    }
  }
  return sum;
}

/** Peak of this process's memory in bytes. Linux's count in `rusage` includes the parent's at the time of the fork. */
async function peak(): Promise<number> {
  if (process.platform !== "linux") return peakMemory();
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile("/proc/self/status", "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}
