/** One forward pass of a decoder that is cut at its attention: layer by layer, what lies between and the kernels in turn. */
import type { InferenceSession, Tensor } from "../backend.js";
import { at, positionFeeds } from "../feeds.js";
import type { Forward, ForwardOptions, Prompt, Request } from "../forward.js";
import { lastPosition } from "../prompt.js";
import { AttentionLayer, type Output } from "./attention.js";
import { Collector } from "./collector.js";
import type { GpuDecoder } from "./fused.js";
import type { Gpu } from "./gpu.js";
import { lossShader } from "./loss.js";
import type { Operand, Scoring } from "./scoring.js";

/** Largest intermediate result of a graph run, in bytes: what the smallest devices bind. */
const activationMemory = 2 ** 27;

type Feeds = Record<string, Tensor>;

/** Tokens `start` to `end` of a sequence, and what graphs are fed with for them in every layer. */
interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly positions: Feeds;
}

/** Buffers of one layer: [heads | keyValueHeads, tokens, headSize]. */
interface Projected {
  readonly queries: Operand;
  readonly keys: Operand;
  readonly values: Operand;
  release(): void;
}

export class FusedPass {
  readonly #chunks: Chunk[] = [];
  readonly #collector: Collector;
  readonly #tokens: number;

  constructor(
    readonly decoder: GpuDecoder,
    readonly sessions: readonly InferenceSession[],
    readonly gpu: Gpu,
    readonly prompt: Prompt,
    readonly request: Request,
    readonly options: ForwardOptions,
  ) {
    const { architecture } = decoder;
    const { heads, keyValueHeads, headSize, width, contextLength } = architecture;
    this.#tokens = prompt.ids.length;
    const beyond = lastPosition(prompt) >= contextLength;
    this.#collector = new Collector(architecture, prompt, request, beyond, gpu);
    const widest = 4 * Math.max(4 * width, (heads + 2 * keyValueHeads) * headSize); // bytes per token
    const step = options.chunk ?? Math.max(1, Math.floor(activationMemory / widest));
    for (let start = 0; start < this.#tokens; start += step) {
      const end = Math.min(start + step, this.#tokens);
      this.#chunks.push({ start, end, positions: this.#positions(start, end) });
    }
  }

  /** Gives back what the pass holds on the GPU, whether it comes to its end or is stopped. */
  async run(): Promise<Forward> {
    try {
      await this.#layers();
    } finally {
      for (const release of [...this.#held]) release();
    }
    return this.#collector.finish();
  }

  readonly #held = new Set<() => void>();

  /** @returns what gives it back before the end */
  #hold(release: () => void): () => void {
    const once = () => {
      if (this.#held.delete(once)) release();
    };
    this.#held.add(once);
    return once;
  }

  async #layers(): Promise<void> {
    const { signal, progress } = this.options;
    const { layers } = this.decoder.architecture;
    this.#hold(() => this.#releasePositions());
    let residual: Tensor[] = []; // of each chunk, [queries, width]
    let earlier: (() => void)[] = []; // gives back the residual and the attention of the layer before
    let mixed: Output | undefined;
    for (let layer = 0; layer <= layers; layer++) {
      signal?.throwIfAborted();
      const next = await this.#between(layer, residual, mixed);
      for (const release of earlier) release();
      const { projected } = next;
      residual = next.residual;
      earlier = [this.#hold(() => next.residual.forEach((tensor) => void tensor.dispose()))];
      if (!projected) break;
      const releaseProjected = this.#hold(() => projected.release());
      const attention = await this.#attention(layer, projected);
      earlier.push(this.#hold(() => attention.release()));
      mixed = this.#statistics(layer, attention, projected.values);
      await attention.run({ signal });
      this.#collector.submit();
      releaseProjected();
      await this.#collector.settleEarlier(); // one layer's statistics are on their way while the next is computed
      progress?.(Math.floor((this.#tokens * (layer + 1)) / layers));
    }
    if (this.request.logits) await this.#logits(residual);
  }

  /** Runs the graph before a layer's attention over all chunks; after the last layer there is none. */
  async #between(
    layer: number,
    residual: readonly Tensor[],
    mixed: Output | undefined,
  ): Promise<{ residual: Tensor[]; projected?: Projected }> {
    const { architecture } = this.decoder;
    const session = this.sessions[layer];
    const last = layer === architecture.layers;
    const names = ["residual", ...(last ? [] : ["queries", "keys", "values"])];
    const norms = ["residual norm", "residual sum", ...(last ? [] : ["queries norm", "keys norm", "values norm"])];
    const fetches = this.request.norms ? [...names, ...norms] : names;
    const outputs: Record<string, Tensor>[] = [];
    const gate = mixed && this.#gate(layer - 1);
    for (const [i, chunk] of this.#chunks.entries()) {
      const feeds: Feeds = { ...chunk.positions };
      const slice = mixed && this.#slice(mixed, chunk);
      if (slice && gate) {
        feeds.mixed = slice.tensor;
        feeds["previous residual"] = residual[i];
        feeds.gate = gate;
      } else {
        feeds.ids = new this.#Tensor("int32", this.prompt.ids.slice(chunk.start, chunk.end), [chunk.end - chunk.start]);
      }
      const wanted = session.inputNames.map((name) => [name, feeds[name]] as const);
      const output = await session.run(Object.fromEntries(wanted), fetches);
      slice?.release();
      if (this.request.norms) this.#collector.norms(layer, chunk.start, output);
      outputs.push(output);
    }
    gate?.dispose();
    const streams = outputs.map(({ residual }) => residual);
    return { residual: streams, projected: last ? undefined : this.#project(outputs) };
  }

  get #Tensor() {
    return this.decoder.backend.Tensor;
  }

  /** What encodes the chunk's positions, on the GPU where it is large. */
  #positions(start: number, end: number): Feeds {
    const { architecture } = this.decoder;
    if (architecture.positions.kind === "alibi") return {}; // the kernels' business
    const feeds = positionFeeds({ architecture, prompt: this.prompt, start, end, Tensor: this.#Tensor });
    return Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => {
        if (!(tensor.data instanceof Float32Array)) return [name, tensor];
        return [name, this.#onGpu(this.gpu.upload(tensor.data), tensor.dims)];
      }),
    );
  }

  #onGpu(buffer: GPUBuffer, dims: readonly number[]): Tensor {
    return this.#Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims, dispose: () => this.gpu.recycle(buffer) });
  }

  #gate(layer: number): Tensor {
    const { heads } = this.decoder.architecture;
    const gates = Float32Array.from({ length: heads }, (_, head) => at(this.prompt.headGate, layer, head));
    return this.#onGpu(this.gpu.upload(gates), [heads, 1, 1]);
  }

  /** A chunk's rows of [heads, tokens, size]. */
  #slice({ buffer, dims }: Output, { start, end }: Chunk): { tensor: Tensor; release(): void } {
    const [heads, tokens, size] = dims;
    if (end - start === tokens) {
      const tensor = this.#Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims });
      return { tensor, release: () => undefined };
    }
    const part = this.gpu.buffer(4 * heads * (end - start) * size);
    this.#copyRows(heads, (end - start) * size, buffer, tokens * size, start * size, part, (end - start) * size, 0);
    const tensor = this.#Tensor.fromGpuBuffer(part, { dataType: "float32", dims: [heads, end - start, size] });
    return { tensor, release: () => this.gpu.recycle(part) };
  }

  /** `rows` stretches of float32 from one buffer to another; strides and offsets in elements. */
  #copyRows(
    rows: number,
    length: number,
    from: GPUBuffer,
    fromStride: number,
    fromOffset: number,
    to: GPUBuffer,
    toStride: number,
    toOffset: number,
  ): void {
    const { device } = this.gpu;
    const encoder = device.createCommandEncoder();
    for (let row = 0; row < rows; row++) {
      const source = 4 * (row * fromStride + fromOffset);
      encoder.copyBufferToBuffer(from, source, to, 4 * (row * toStride + toOffset), 4 * length);
    }
    device.queue.submit([encoder.finish()]);
  }

  /** The chunks' queries, keys and values put together. */
  #project(outputs: readonly Record<string, Tensor>[]): Projected {
    const owned: (() => void)[] = [];
    const joined = (name: string): Operand => {
      const tensors = outputs.map((output) => output[name]);
      if (tensors.length === 1) {
        owned.push(() => tensors[0].dispose());
        return { buffer: tensors[0].gpuBuffer, type: "f32" };
      }
      const [heads, , size] = tensors[0].dims;
      const whole = this.gpu.buffer(4 * heads * this.#tokens * size);
      tensors.forEach((tensor, i) => {
        const { start, end } = this.#chunks[i];
        const length = (end - start) * size;
        this.#copyRows(heads, length, tensor.gpuBuffer, length, 0, whole, this.#tokens * size, start * size);
        tensor.dispose();
      });
      owned.push(() => this.gpu.recycle(whole));
      return { buffer: whole, type: "f32" };
    };
    const [queries, keys, values] = ["queries", "keys", "values"].map(joined);
    return {
      queries,
      keys,
      values,
      release: () => {
        for (const give of owned) give();
      },
    };
  }

  async #attention(layer: number, { queries, keys }: Projected): Promise<AttentionLayer> {
    const { architecture } = this.decoder;
    const { heads, keyValueHeads, headSize, positions, blocks } = architecture;
    const { scale, softcap, window, sinks } = blocks[layer].attention;
    const { temperature, keyBias, pieces } = this.prompt;
    const scoring: Scoring = {
      causal: true,
      scale,
      softcap,
      window,
      sinks: sinks === undefined ? undefined : await this.decoder.sinks(sinks),
      slopes:
        positions.kind === "alibi"
          ? Float32Array.from(positions.slopes, (slope) => positions.factor * slope)
          : undefined,
      temperature: temperature && Float32Array.from({ length: heads }, (_, head) => at(temperature, layer, head)),
      keyBias: keyBias?.data.subarray(...this.#layerOf(keyBias.dims, layer)),
      pieces,
    };
    const shape = { heads, keyValueHeads, headSize, queries: this.#tokens, keys: this.#tokens };
    return new AttentionLayer(this.gpu, { shape, scoring, queries, keys });
  }

  /** Where a layer's values begin and end in [layers | 1, heads | 1, tokens]. */
  #layerOf([layers, heads, tokens]: readonly number[], layer: number): [number, number] {
    const start = Math.min(layer, layers - 1) * heads * tokens;
    return [start, start + heads * tokens];
  }

  /** Queues what was asked for, and the mixing of the values. */
  #statistics(layer: number, attention: AttentionLayer, values: Operand): Output {
    const { rows, keySegments, queryGroups, targets, distances } = this.request;
    const normalised = attention.rows();
    if (rows) this.#collector.rows(layer, normalised.rows);
    if (queryGroups?.length) this.#collector.received(layer, attention.received(queryGroups));
    if (keySegments?.length) this.#collector.mass(layer, attention.mass(keySegments));
    if (targets?.length) this.#collector.pattern(layer, attention.pattern(targets));
    if (distances) this.#collector.distances(layer, attention.distances());
    return attention.mix(values);
  }

  /** Logits in stretches that fit into memory; of each row only what the loss needs, unless more is asked for. */
  async #logits(residual: readonly Tensor[]): Promise<void> {
    const { gpu } = this;
    const { vocabulary, width } = this.decoder.architecture;
    const session = await this.decoder.head();
    const step = Math.max(1, Math.floor(activationMemory / (4 * Math.max(vocabulary, width))));
    for (const [i, { start, end }] of this.#chunks.entries()) {
      for (let first = start; first < end; first += step) {
        const rows = Math.min(step, end - first);
        const part = gpu.buffer(4 * rows * width);
        this.#copyRows(1, rows * width, residual[i].gpuBuffer, 0, (first - start) * width, part, 0, 0);
        const stream = this.#Tensor.fromGpuBuffer(part, { dataType: "float32", dims: [rows, width] });
        const { logits } = await session.run({ residual: stream }, ["logits"]);
        const next = gpu.upload(Uint32Array.from({ length: rows }, (_, row) => this.prompt.ids[first + row + 1] ?? 0));
        const losses = gpu.buffer(16 * rows);
        const bindings = [
          { buffer: logits.gpuBuffer, size: 4 * rows * vocabulary },
          { buffer: next },
          { buffer: losses },
        ];
        const operations = 4 * rows * vocabulary;
        await gpu.run([{ code: lossShader(vocabulary), bindings, workgroups: rows, operations }]);
        this.#collector.losses(first, rows, losses);
        if (this.request.logits === "all") this.#collector.logits(logits.gpuBuffer, 0, first, rows);
        else if (this.request.logits === "last" && first + rows === this.#tokens) {
          this.#collector.logits(logits.gpuBuffer, 4 * (rows - 1) * vocabulary, 0, 1);
        }
        this.#collector.submit();
        logits.dispose();
        for (const buffer of [part, next, losses]) gpu.recycle(buffer);
      }
    }
  }

  #releasePositions(): void {
    for (const { positions } of this.#chunks) for (const tensor of Object.values(positions)) tensor.dispose();
  }
}
