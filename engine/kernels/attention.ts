/**
 * Statistics and output of one layer's attention on the GPU, from queries and keys that lie there. Nothing of size
 * queries × keys is ever stored: each pass computes the scores anew, tile by tile, so memory grows with the tokens.
 */
import { UserError } from "../errors.js";
import { columnsShader, groupsPerSweep } from "./columns.js";
import { distancesShader } from "./distances.js";
import type { Gpu, Pass, RunOptions } from "./gpu.js";
import { columnsPerGroup, mixShader, type Values } from "./mix.js";
import { octaveCount, octavesShader } from "./octaves.js";
import { patternShader, patternThreads } from "./pattern.js";
import { rowsShader } from "./rows.js";
import type { Side, Tile } from "./scores.js";
import {
  type HeadRange,
  layerUniform,
  type Operand,
  type Scoring,
  type Shape,
  scaledBias,
  type Traits,
  traitsOf,
} from "./scoring.js";
import { type TileSet, tilesFor } from "./tiles.js";

/** A dense array on the GPU. */
export interface Output {
  readonly buffer: GPUBuffer;
  readonly dims: readonly number[];
}

export interface LayerInput {
  readonly shape: Shape;
  readonly scoring: Scoring;
  readonly queries: Operand; // [heads, queries, headSize]
  readonly keys: Operand; // [keyValueHeads, keys, headSize]
  /** For measurements; the device decides otherwise. */
  readonly tiles?: TileSet;
}

/** Head sizes that the kernels take. */
export const supportsHeadSize = (headSize: number): boolean => headSize % 4 === 0 && headSize <= 256;

/** Arrays of one length, one after the other. */
function joined<A extends Float32Array | Int32Array>(
  type: new (length: number) => A,
  parts: readonly A[],
  length: number,
): A {
  const whole = new type(parts.length * length);
  parts.forEach((part, i) => {
    whole.set(part, i * length);
  });
  return whole;
}

/** An output of which the heads of a range are bound alone. */
interface PerHead {
  readonly output: GPUBuffer;
  readonly bytes: number; // of one head
  readonly element: number; // bytes of one element as the shader declares it
}

interface Range {
  readonly heads: HeadRange;
  readonly uniform: GPUBuffer;
  readonly queries: GPUBufferBinding;
  readonly keys: GPUBufferBinding;
}

type Bound = GPUBuffer | Operand | PerHead;

const perHead = ({ buffer, dims: [, ...rest] }: Output, element: number): PerHead => ({
  output: buffer,
  bytes: 4 * rest.reduce((a, b) => a * b, 1),
  element,
});

/** Passes are queued in the order of the calls; `run` runs them. Every call but `rows` reads what `rows` writes. */
export class AttentionLayer {
  readonly tiles: TileSet;
  readonly #traits: Traits;
  /** By the number of heads that they hold. */
  readonly #ranges = new Map<number, readonly Range[]>();
  readonly #shared: readonly GPUBufferBinding[];
  readonly #owned: GPUBuffer[] = [];
  #passes: Pass[] = [];
  #rows: { readonly rows: Output; readonly topKeys: Output } | undefined;

  /** @throws {UserError} where the head size, or one head's keys, are more than the device takes */
  constructor(
    readonly gpu: Gpu,
    readonly input: LayerInput,
  ) {
    const { shape, scoring, queries } = input;
    if (!supportsHeadSize(shape.headSize)) {
      throw new UserError(`The head size is ${shape.headSize}, but the GPU kernels take multiples of 4 up to 256.`);
    }
    this.#traits = traitsOf(shape, scoring, queries.type);
    this.tiles = input.tiles ?? tilesFor(gpu, this.#traits);
    const { keyBias, pieces } = scoring;
    this.#shared = [keyBias && this.#upload(scaledBias(keyBias)), pieces && this.#upload(pieces)]
      .filter((buffer) => buffer !== undefined)
      .map((buffer) => ({ buffer }));
    this.#rangesFor(0);
  }

  /** Per query: [heads, queries, 4] = largest probability, log2 of the row's normalisation, entropy in nats, mean distance; and the top key. */
  rows(): { rows: Output; topKeys: Output } {
    const { heads, queries } = this.input.shape;
    this.#rows ??= { rows: this.#output(heads, queries, 4), topKeys: this.#output(heads, queries) };
    const { rows, topKeys } = this.#rows;
    const { sweep } = this.tiles;
    this.#pass(rowsShader(this.#traits, sweep), [rows.buffer, topKeys.buffer], this.#tilesOf("queries", sweep), 1);
    return this.#rows;
  }

  /** Σ_q w[q] · A[q,k] for each group of query weights: outputs [heads, groups of this output, keys], in order. */
  received(groups: readonly Float32Array[]): Output[] {
    const { heads, queries, keys } = this.input.shape;
    const { sweep } = this.tiles;
    const outputs: Output[] = [];
    for (let first = 0; first < groups.length; first += groupsPerSweep) {
      const some = groups.slice(first, first + groupsPerSweep);
      const received = this.#output(heads, some.length, keys);
      const weights = this.#upload(joined(Float32Array, some, queries));
      const { steps, share } = this.#activeSteps(some, sweep.swept);
      const code = columnsShader(this.#traits, sweep, some.length);
      this.#pass(code, [this.#normalised, weights, steps, received.buffer], this.#tilesOf("keys", sweep), share);
      outputs.push(received);
    }
    return outputs;
  }

  /** Σ_k A[q,k] · w[k] for each segment of weights: [heads, queries, segments, padded to a multiple of 4]. */
  mass(segments: readonly Float32Array[]): Output {
    const { heads, queries, keys } = this.input.shape;
    const columns = Math.ceil(segments.length / 4) * 4;
    const weights = new Float32Array(keys * columns); // [keys, columns]
    segments.forEach((segment, s) => {
      for (let key = 0; key < keys; key++) weights[key * columns + s] = segment[key];
    });
    const mixed = this.#output(heads, queries, columns);
    const { steps, share } = this.#activeSteps(segments, this.tiles.mix.swept);
    const data = [this.#upload(weights), perHead(mixed, 16), steps];
    this.#mix({ columns, type: "f32", shared: true }, data, share);
    return mixed;
  }

  /** The attention's output Σ_k A[q,k] · v[k]: [heads, queries, headSize]. */
  mix(values: Operand): Output {
    const { heads, queries, headSize } = this.input.shape;
    const mixed = this.#output(heads, queries, headSize);
    this.#mix({ columns: headSize, type: values.type, shared: false }, [values, perHead(mixed, 16)], 1);
    return mixed;
  }

  /** Probabilities at one key per query: [heads, patterns, queries], 0 where the target is negative. */
  pattern(targets: readonly Int32Array[]): Output {
    const { heads, queries, headSize } = this.input.shape;
    const found = this.#output(heads, targets.length, queries);
    const keys = this.#upload(joined(Int32Array, targets, queries));
    const workgroups = (count: number) => count * targets.length * Math.ceil(queries / patternThreads);
    const operations = 2 * headSize * queries * targets.length;
    const data = [this.#normalised, keys, perHead(found, 4)];
    this.#pass(patternShader(this.#traits), data, workgroups, operations, true);
    return found;
  }

  /** Parts of Σ_q A[q,q−d] for `sumBands`: [heads, bands, 2, side of a tile]. @throws where attention is not causal */
  distances(): Output {
    const { heads, queries } = this.input.shape;
    if (!this.#traits.causal) throw new Error("Sums by distance are defined for causal attention only.");
    const { diagonal } = this.tiles;
    const bands = this.#output(heads, Math.ceil(queries / diagonal.own), 2, diagonal.own);
    const code = distancesShader(this.#traits, diagonal);
    this.#pass(code, [this.#normalised, bands.buffer], this.#tilesOf("queries", diagonal), 1);
    return bands;
  }

  /** Mass by distance: [heads, octaves, queries]. */
  octaves(): Output {
    const { heads, queries } = this.input.shape;
    const octaves = this.#output(heads, octaveCount, queries);
    const { diagonal: tile } = this.tiles; // small, because a thread keeps all octaves of its rows
    this.#pass(
      octavesShader(this.#traits, tile),
      [this.#normalised, perHead(octaves, 4)],
      this.#tilesOf("queries", tile),
      2,
    );
    return octaves;
  }

  async run(options?: RunOptions): Promise<void> {
    const passes = this.#passes;
    this.#passes = [];
    await this.gpu.run(passes, options);
  }

  /** Gives back what the layer made, outputs included; work that was submitted before still finds it. */
  release(): void {
    for (const buffer of this.#owned) this.gpu.recycle(buffer);
    this.#owned.length = 0;
    for (const { uniform } of [...this.#ranges.values()].flat()) uniform.destroy();
  }

  get #normalised(): GPUBuffer {
    if (!this.#rows) throw new Error("The row pass has to come first.");
    return this.#rows.rows.buffer;
  }

  #mix(values: Values, data: readonly Bound[], share: number): void {
    const tile = this.tiles.mix;
    const parts = Math.ceil(values.columns / columnsPerGroup(values, tile));
    const code = mixShader(this.#traits, tile, values);
    const tiles = this.#tilesOf("queries", tile);
    this.#pass(code, [this.#normalised, ...data], (heads) => parts * tiles(heads), 2 * parts * share);
  }

  readonly #tilesOf = (side: Side, tile: Tile) => {
    const tiles = Math.ceil(this.input.shape[side] / tile.own);
    return (heads: number) => heads * tiles;
  };

  /**
   * @param data operands lie as the keys do and are bound alike; of an output per head, the range's heads are bound,
   *   at most one to a pass; buffers are bound as a whole
   * @param cost in sweeps over all scores, or (where `absolute`) in operations per head
   */
  #pass(
    code: string,
    data: readonly Bound[],
    workgroups: (heads: number) => number,
    cost: number,
    absolute = false,
  ): void {
    const { queries, keys, headSize } = this.input.shape;
    const sweep = 2 * queries * Math.min(keys, this.input.scoring.window ?? keys) * headSize;
    const operations = cost * (absolute ? 1 : this.#traits.causal ? sweep / 2 : sweep);
    const output = data.find((one) => "output" in one);
    const { minStorageBufferOffsetAlignment: align } = this.gpu.device.limits;
    for (const { heads, uniform, queries, keys } of this.#rangesFor(output?.bytes ?? 0)) {
      const count = heads.end - heads.first;
      const start = output ? Math.floor((heads.first * output.bytes) / align) * align : 0;
      const bind = (one: Bound): GPUBufferBinding => {
        if ("output" in one) return { buffer: one.output, offset: start, size: heads.end * one.bytes - start };
        return "type" in one ? { ...keys, buffer: one.buffer } : { buffer: one };
      };
      this.#passes.push({
        code,
        bindings: [{ buffer: uniform }, queries, keys, ...this.#shared, ...data.map(bind)],
        workgroups: workgroups(count),
        operations: operations * count,
        origin: output && start / output.element,
      });
    }
  }

  #output(...dims: number[]): Output {
    const buffer = this.gpu.buffer(4 * dims.reduce((a, b) => a * b, 1));
    this.#owned.push(buffer);
    return { buffer, dims };
  }

  #upload(data: Float32Array | Int32Array | Uint32Array): GPUBuffer {
    const buffer = this.gpu.upload(data);
    this.#owned.push(buffer);
    return buffer;
  }

  /** Numbers of the tiles in which some weight is not 0, and their share of all. */
  #activeSteps(weights: readonly Float32Array[], tile: number): { steps: GPUBuffer; share: number } {
    const steps: number[] = [];
    const tokens = weights[0].length;
    for (let start = 0; start < tokens; start += tile) {
      const end = Math.min(start + tile, tokens);
      if (weights.some((values) => values.subarray(start, end).some((value) => value !== 0))) steps.push(start / tile);
    }
    const share = steps.length / Math.ceil(tokens / tile);
    if (steps.length === 0) steps.push(2 ** 32 - 1); // a buffer cannot be empty; no sweep goes that far
    return { steps: this.#upload(Uint32Array.from(steps)), share };
  }

  /**
   * As many heads at a time as the device can bind.
   * @param outputRow bytes that a pass writes for one head, where these are bound with it
   */
  #rangesFor(outputRow: number): readonly Range[] {
    const { gpu, input } = this;
    const { shape, scoring, queries, keys } = input;
    const { maxStorageBufferBindingSize: limit, minStorageBufferOffsetAlignment: align } = gpu.device.limits;
    const bytes = queries.type === "f32" ? 4 : 2;
    const queryRow = shape.queries * shape.headSize * bytes;
    const keyRow = shape.keys * shape.headSize * bytes;
    const group = shape.heads / shape.keyValueHeads;
    const bindable = (row: number) => Math.floor((limit - align) / row);
    const outputs = outputRow > 0 ? bindable(outputRow) : shape.heads;
    let step = Math.min(shape.heads, bindable(queryRow), bindable(keyRow) * group, outputs);
    if (step < 1) {
      throw new UserError(
        `One head takes ${Math.max(queryRow, keyRow, outputRow)} bytes, but this GPU binds at most ${limit}; take a shorter prompt.`,
      );
    }
    if (step > group) step -= step % group;
    const known = this.#ranges.get(step);
    if (known) return known;
    const bind = (buffer: GPUBuffer, first: number, end: number, row: number) => {
      const offset = Math.floor((first * row) / align) * align;
      return { binding: { buffer, offset, size: end * row - offset }, elements: (first * row - offset) / bytes };
    };
    const ranges: Range[] = [];
    for (let first = 0; first < shape.heads; first += step) {
      const end = Math.min(first + step, shape.heads);
      const query = bind(queries.buffer, first, end, queryRow);
      const key = bind(keys.buffer, Math.floor(first / group), Math.ceil(end / group), keyRow);
      const heads = { first, end, queryOffset: query.elements, keyOffset: key.elements };
      const uniform = layerUniform(gpu, shape, scoring, heads);
      ranges.push({ heads, uniform, queries: query.binding, keys: key.binding });
    }
    this.#ranges.set(step, ranges);
    return ranges;
  }
}
