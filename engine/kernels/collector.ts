/** Brings statistics back from the GPU and puts them into their places in the result of a forward pass. */
import type { Architecture } from "../architecture.js";
import type { Tensor } from "../backend.js";
import type { Forward, Prompt, Request, Values } from "../forward.js";
import { StreamSums } from "../metrics/norms.js";
import type { Output } from "./attention.js";
import { sumBands } from "./distances.js";
import type { Gpu } from "./gpu.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const zeros = (...dims: number[]): Values => ({ data: new Float32Array(dims.reduce((a, b) => a * b, 1)), dims });

interface Wanted {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly length: number;
  readonly place: (values: Float32Array) => void;
}

export class Collector {
  readonly #forward: Mutable<Forward>;
  readonly #tokens: number;
  readonly #sums: StreamSums;
  #wanted: Wanted[] = [];
  #arriving: Promise<unknown>[] = [];
  #earlier: Promise<unknown>[] = [];

  constructor(
    readonly architecture: Architecture,
    readonly prompt: Prompt,
    readonly request: Request,
    beyondTrainedLength: boolean,
    readonly gpu: Gpu,
  ) {
    const { layers: L, heads: H, keyValueHeads: G, vocabulary } = architecture;
    const { rows, keySegments, queryGroups, targets, distances, norms, logits } = request;
    const T = prompt.ids.length;
    const forward: Mutable<Forward> = { tokens: T, beyondTrainedLength };
    if (rows) {
      forward.entropy = zeros(L, H, T);
      forward.maximum = zeros(L, H, T);
      forward.meanDistance = zeros(L, H, T);
    }
    if (keySegments?.length) forward.mass = zeros(L, H, keySegments.length, T);
    if (queryGroups?.length) forward.received = zeros(L, H, queryGroups.length, T);
    if (targets?.length) forward.pattern = zeros(L, H, targets.length, T);
    if (distances) forward.distances = zeros(L, H, T);
    if (norms) {
      forward.queryNorm = zeros(L, H, T);
      forward.keyNorm = zeros(L, G, T);
      forward.valueNorm = zeros(L, G, T);
      forward.residualNorm = zeros(L + 1, T);
    }
    if (logits) {
      forward.logProbability = new Float32Array(T - 1);
      forward.correct = new Uint8Array(T - 1);
    }
    if (logits === "last") forward.logits = zeros(1, vocabulary);
    if (logits === "all") forward.logits = zeros(T, vocabulary);
    this.#forward = forward;
    this.#tokens = T;
    this.#sums = new StreamSums(L + 1, architecture.width);
  }

  rows(layer: number, output: Output): void {
    const { entropy, maximum, meanDistance } = this.#forward;
    const rows = this.architecture.heads * this.#tokens;
    this.#want(output, (values) => {
      for (let row = 0; row < rows; row++) {
        if (maximum) maximum.data[layer * rows + row] = values[4 * row];
        if (entropy) entropy.data[layer * rows + row] = values[4 * row + 2];
        if (meanDistance) meanDistance.data[layer * rows + row] = values[4 * row + 3];
      }
    });
  }

  /** Each output holds some groups, [heads, groups, keys]. */
  received(layer: number, outputs: readonly Output[]): void {
    let first = 0;
    for (const output of outputs) {
      const [heads, count, keys] = output.dims;
      const start = first;
      this.#want(output, (values) => {
        const { data, dims } = this.#forward.received ?? zeros(0, 0, 0, 0);
        for (let head = 0; head < heads; head++) {
          const some = values.subarray(head * count * keys, (head + 1) * count * keys);
          data.set(some, ((layer * heads + head) * dims[2] + start) * keys);
        }
      });
      first += count;
    }
  }

  /** [heads, queries, columns] */
  mass(layer: number, output: Output): void {
    const [heads, queries, columns] = output.dims;
    this.#want(output, (values) => {
      const { data, dims } = this.#forward.mass ?? zeros(0, 0, 0, 0);
      for (let head = 0; head < heads; head++) {
        for (let segment = 0; segment < dims[2]; segment++) {
          const target = ((layer * heads + head) * dims[2] + segment) * queries;
          for (let q = 0; q < queries; q++) data[target + q] = values[(head * queries + q) * columns + segment];
        }
      }
    });
  }

  /** [heads, patterns, queries] */
  pattern(layer: number, output: Output): void {
    this.#want(output, (values) => {
      const targets = this.request.targets ?? [];
      const T = this.#tokens;
      values.forEach((_, i) => {
        if (targets[Math.floor(i / T) % targets.length][i % T] < 0) values[i] = Number.NaN;
      });
      this.#forward.pattern?.data.set(values, layer * values.length);
    });
  }

  /** [heads, bands, 2, side] */
  distances(layer: number, output: Output): void {
    const [heads, , , side] = output.dims;
    this.#want(output, (values) => {
      this.#forward.distances?.data.set(sumBands(values, heads, this.#tokens, side), layer * heads * this.#tokens);
    });
  }

  /**
   * From a graph run over the tokens from `start` on: residual norm [queries] and sum [width], queries norm
   * [heads, queries], keys and values norm [keyValueHeads, queries].
   */
  norms(layer: number, start: number, outputs: Readonly<Record<string, Tensor>>): void {
    const { queryNorm, keyNorm, valueNorm, residualNorm } = this.#forward;
    const { heads, keyValueHeads } = this.architecture;
    const sums = outputs["residual sum"]?.data;
    if (sums instanceof Float32Array) this.#sums.add(sums, layer);
    const place = (target: Values | undefined, name: string, rows: number) => {
      const source = outputs[name]?.data;
      if (!target || !(source instanceof Float32Array)) return;
      const length = source.length / rows;
      for (let row = 0; row < rows; row++) {
        const values = source.subarray(row * length, (row + 1) * length);
        target.data.set(values, (layer * rows + row) * this.#tokens + start);
      }
    };
    place(residualNorm, "residual norm", 1);
    place(queryNorm, "queries norm", heads);
    place(keyNorm, "keys norm", keyValueHeads);
    place(valueNorm, "values norm", keyValueHeads);
  }

  /** [rows, 4] as the loss kernel writes them. */
  losses(first: number, rows: number, buffer: GPUBuffer): void {
    const { logProbability, correct } = this.#forward;
    this.#want({ buffer, dims: [rows, 4] }, (values) => {
      for (let row = 0; row < rows && first + row < this.#tokens - 1; row++) {
        const [sum, best, next] = values.subarray(4 * row, 4 * row + 3);
        if (logProbability) logProbability[first + row] = next - sum;
        if (correct) correct[first + row] = next >= best ? 1 : 0;
      }
    });
  }

  /** Rows of logits from a byte offset on, which are those of the result from `first` on. */
  logits(buffer: GPUBuffer, offset: number, first: number, rows: number): void {
    const { vocabulary } = this.architecture;
    this.#want(
      { buffer, dims: [rows, vocabulary] },
      (values) => this.#forward.logits?.data.set(values, first * vocabulary),
      offset,
    );
  }

  #want({ buffer, dims }: Output, place: (values: Float32Array) => void, offset = 0): void {
    this.#wanted.push({ buffer, offset, length: dims.reduce((a, b) => a * b, 1), place });
  }

  /** Copies what was named so far, once the kernels that write it have been submitted; its buffers may then be released. */
  submit(): void {
    for (const { buffer, offset, length, place } of this.#wanted) {
      const arrived = this.gpu.read(buffer, 4 * length, offset).then((bytes) => place(new Float32Array(bytes)));
      arrived.catch(() => undefined); // reported by whoever waits for it
      this.#arriving.push(arrived);
    }
    this.#wanted = [];
  }

  /** Waits for what was submitted before the last call of this. */
  async settleEarlier(): Promise<void> {
    const earlier = this.#earlier;
    this.#earlier = this.#arriving;
    this.#arriving = [];
    await Promise.all(earlier);
  }

  async finish(): Promise<Forward> {
    await Promise.all([...this.#earlier, ...this.#arriving]);
    const { residualNorm } = this.#forward;
    if (residualNorm) this.#forward.uniformity = this.#sums.uniformity(residualNorm);
    return this.#forward;
  }
}
