/** Puts the outputs of one chunk after the other together into the result of a forward pass. */
import type { Architecture } from "./architecture.js";
import type { Forward, Request, Values } from "./forward.js";
import { StreamSums } from "./metrics/norms.js";
import type { Plan } from "./statistics.js";

/** Outputs of one run of the graph, by name; what was not fetched is absent. */
export type Outputs = Readonly<Record<string, { readonly data: unknown }>>;

interface Chunk {
  readonly start: number;
  readonly queries: number;
  readonly outputs: Outputs;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const zeros = (...dims: number[]): Values => ({ data: new Float32Array(dims.reduce((a, b) => a * b, 1)), dims });

/** @throws where the graph did not give what it was built to give */
export function floats(outputs: Outputs, name: string): Float32Array {
  const data = outputs[name]?.data;
  if (!(data instanceof Float32Array)) throw new Error(`The graph gave no float32 output named "${name}".`);
  return data;
}

export class Report {
  readonly #forward: Mutable<Forward>;
  readonly #segments: number;
  readonly #sums: StreamSums;

  constructor(
    readonly architecture: Architecture,
    readonly plan: Plan,
    readonly request: Request,
    readonly tokens: number,
    beyondTrainedLength: boolean,
  ) {
    const { layers: L, heads: H, keyValueHeads: G, headSize, vocabulary } = architecture;
    const T = tokens;
    const forward: Mutable<Forward> = { tokens, beyondTrainedLength };
    this.#segments = request.keySegments?.length ?? 0;
    if (plan.rows) {
      forward.entropy = zeros(L, H, T);
      forward.maximum = zeros(L, H, T);
      forward.meanDistance = zeros(L, H, T);
    }
    if (this.#segments) forward.mass = zeros(L, H, this.#segments, T);
    if (plan.received) forward.received = zeros(L, H, request.queryGroups?.length ?? 0, T);
    if (plan.pattern) forward.pattern = zeros(L, H, request.targets?.length ?? 0, T);
    if (plan.topMass) forward.topMass = zeros(L, H, request.topMass?.length ?? 0, T);
    if (plan.distances) forward.distances = zeros(L, H, T);
    if (plan.norms) {
      forward.queryNorm = zeros(L, H, T);
      forward.keyNorm = zeros(L, G, T);
      forward.valueNorm = zeros(L, G, T);
      forward.residualNorm = zeros(L + 1, T);
    }
    if (plan.vectors) {
      forward.queries = zeros(L, H, T, headSize);
      forward.keys = zeros(L, G, T, headSize);
      forward.values = zeros(L, G, T, headSize);
      forward.residual = zeros(L + 1, T, architecture.width);
    }
    if (plan.logits) {
      forward.logProbability = new Float32Array(T - 1);
      forward.correct = new Uint8Array(T - 1);
    }
    if (plan.logits === "last") forward.logits = zeros(1, vocabulary);
    if (plan.logits === "all") forward.logits = zeros(T, vocabulary);
    if (plan.attention) forward.attention = zeros(L, H, T, T);
    if (plan.mixture) forward.mixture = zeros(T, T);
    if (plan.scores) forward.scores = zeros(L, T, T);
    this.#forward = forward;
    this.#sums = new StreamSums(L + 1, architecture.width);
  }

  /** Takes the outputs for queries `start` to `start + queries`. */
  add(chunk: Chunk): void {
    const {
      architecture: { layers: L, heads: H, keyValueHeads: G },
    } = this;
    const { entropy, maximum, received, pattern, topMass, distances } = this.#forward;
    const { queryNorm, keyNorm, valueNorm, residualNorm } = this.#forward;
    const { queries, keys: keyVectors, values, residual, attention, mixture, scores } = this.#forward;
    const keys = chunk.start + chunk.queries;
    if (entropy) this.#place(entropy, chunk, "entropy", L * H, 1);
    if (maximum) this.#place(maximum, chunk, "maximum", L * H, 1);
    if (pattern) this.#place(pattern, chunk, "pattern", L * H, pattern.dims[2]);
    if (topMass) this.#place(topMass, chunk, "top mass", L * H, topMass.dims[2]);
    if (queryNorm) this.#place(queryNorm, chunk, "query norm", L, H);
    if (keyNorm) this.#place(keyNorm, chunk, "key norm", L, G);
    if (valueNorm) this.#place(valueNorm, chunk, "value norm", L, G);
    if (residualNorm) this.#place(residualNorm, chunk, "residual norm", L + 1, 1);
    if (queries) this.#placeVectors(queries, chunk, "query vectors", L, H);
    if (keyVectors) this.#placeVectors(keyVectors, chunk, "key vectors", L, G);
    if (values) this.#placeVectors(values, chunk, "value vectors", L, G);
    if (residual) this.#placeVectors(residual, chunk, "residual vectors", L + 1, 1);
    if (this.plan.norms) this.#sums.add(floats(chunk.outputs, "residual sum"));
    if (this.plan.mass) this.#addMass(chunk);
    if (received) this.#addRows(received, floats(chunk.outputs, "received"), L * H * received.dims[2], keys);
    if (distances) this.#addDistances(distances, chunk);
    if (attention) this.#placeRows(attention, floats(chunk.outputs, "attention"), L * H, chunk);
    if (mixture) this.#placeRows(mixture, floats(chunk.outputs, "mixture"), 1, chunk);
    if (scores) this.#placeRows(scores, floats(chunk.outputs, "scores"), L, chunk);
    if (this.plan.logits) this.#addLogits(chunk);
  }

  finish(): Forward {
    const { residualNorm } = this.#forward;
    if (residualNorm) this.#forward.uniformity = this.#sums.uniformity(residualNorm);
    this.request.targets?.forEach((keys, pattern) => {
      const {
        data,
        dims: [layers, heads, patterns],
      } = this.#forward.pattern ?? zeros(0, 0, 0);
      for (let row = 0; row < layers * heads; row++) {
        const offset = (row * patterns + pattern) * this.tokens;
        for (let query = 0; query < this.tokens; query++) if (keys[query] < 0) data[offset + query] = NaN;
      }
    });
    return this.#forward;
  }

  /** [outer, queries, columns] of a chunk → its place in [outer, columns, tokens]. */
  #place({ data }: Values, { start, queries, outputs }: Chunk, name: string, outer: number, columns: number): void {
    const source = floats(outputs, name);
    for (let i = 0; i < outer; i++) {
      for (let column = 0; column < columns; column++) {
        const target = (i * columns + column) * this.tokens + start;
        for (let q = 0; q < queries; q++) data[target + q] = source[(i * queries + q) * columns + column];
      }
    }
  }

  /** [layers · queries, heads, size] of a chunk → its place in [layers, heads, tokens, size]. */
  #placeVectors({ data }: Values, { start, queries, outputs }: Chunk, name: string, layers: number, heads: number) {
    const source = floats(outputs, name);
    const size = source.length / (layers * queries * heads);
    for (let row = 0; row < layers * queries * heads; row++) {
      const [layer, query, head] = [Math.floor(row / heads / queries), Math.floor(row / heads) % queries, row % heads];
      const vector = source.subarray(row * size, (row + 1) * size);
      data.set(vector, ((layer * heads + head) * this.tokens + start + query) * size);
    }
  }

  /** [outer, queries, keys] of a chunk → its place in [outer, tokens, tokens]. */
  #placeRows({ data }: Values, source: Float32Array, outer: number, { start, queries }: Chunk): void {
    const T = this.tokens;
    const keys = start + queries;
    for (let i = 0; i < outer; i++) {
      for (let q = 0; q < queries; q++) {
        const row = source.subarray((i * queries + q) * keys, (i * queries + q + 1) * keys);
        data.set(row, (i * T + start + q) * T);
      }
    }
  }

  /** [outer, columns] of a chunk, added to the beginnings of the rows of [outer, tokens]. */
  #addRows({ data }: Values, source: Float32Array, outer: number, columns: number): void {
    for (let i = 0; i < outer; i++) {
      for (let column = 0; column < columns; column++) data[i * this.tokens + column] += source[i * columns + column];
    }
  }

  /** Masses of the segments; then the mean distance, counted from the first query of the chunk, and the row's sum. */
  #addMass({ start, queries, outputs }: Chunk): void {
    const { mass, meanDistance } = this.#forward;
    const source = floats(outputs, "mass"); // [layers · heads, queries, columns]
    const T = this.tokens;
    const S = this.#segments;
    const columns = S + (this.plan.rows ? 2 : 0);
    for (let row = 0; row < this.architecture.layers * this.architecture.heads; row++) {
      for (let q = 0; q < queries; q++) {
        const offset = (row * queries + q) * columns;
        for (let s = 0; mass && s < S; s++) mass.data[(row * S + s) * T + start + q] = source[offset + s];
        if (meanDistance) meanDistance.data[row * T + start + q] = source[offset + S] + q * source[offset + S + 1];
      }
    }
  }

  #addDistances({ data }: Values, { start, queries, outputs }: Chunk): void {
    const source = floats(outputs, "distances"); // [layers · heads, keys + 1]
    const columns = start + queries + 1;
    for (let row = 0; row < this.architecture.layers * this.architecture.heads; row++) {
      for (let distance = 0; distance < columns - 1; distance++) {
        const column = (start - distance + columns) % columns;
        data[row * this.tokens + distance] += source[row * columns + column];
      }
    }
  }

  #addLogits({ start, queries, outputs }: Chunk): void {
    const { logProbability, correct, logits } = this.#forward;
    const next = floats(outputs, "log-probability"); // [queries]
    const best = floats(outputs, "best log-probability"); // [queries]
    for (let q = 0; logProbability && correct && q < queries && start + q < this.tokens - 1; q++) {
      logProbability[start + q] = next[q];
      correct[start + q] = next[q] >= best[q] ? 1 : 0;
    }
    if (!logits || !outputs.logits) return;
    logits.data.set(floats(outputs, "logits"), this.plan.logits === "all" ? start * this.architecture.vocabulary : 0);
  }
}
