/**
 * Head maps: what a head writes, as scores over the vocabulary, for a vector that it reads.
 * Source: "Inferring Functionality of Attention Heads from their Parameters" (arXiv 2412.11965) and its code,
 * https://github.com/amitelhelo/MAPS
 */
import type { Backend, InferenceSession } from "../../../engine/backend.js";
import { UserError } from "../../../engine/errors.js";
import { Graph } from "../../../engine/graph.js";
import { Layers } from "../../../engine/layers.js";
import type { Model } from "../../../engine/model.js";
import { floats } from "../../../engine/report.js";
import { multiply } from "../../../engine/theory/matrix.js";
import { groupOf, headOutput, headProjection } from "../../analysis/head-weights.js";
import { type NormDirection, normDirection } from "../../analysis/through-norm.js";
import { row } from "../../analysis/vectors.js";

/** The function of one head. */
export interface HeadMap {
  readonly layer: number;
  readonly head: number;
  readonly value: Float64Array; // [headSize, width]
  readonly inputNorm: NormDirection;
  /** What its value dimensions write, as the final norm sees it. */
  readonly output: Float64Array; // [headSize, width]
}

/** All heads of a model. */
export async function headMaps({ checkpoint, architecture }: Model): Promise<HeadMap[]> {
  const { layers, heads, headSize, width, finalNorm, blocks } = architecture;
  const final = await normDirection(checkpoint, finalNorm); // the length of the stream changes no order of tokens
  const maps: HeadMap[] = [];
  for (let at = 0; at < layers * heads; ++at) {
    const [layer, head] = [Math.floor(at / heads), at % heads];
    const output = await headOutput(checkpoint, layer, head);
    for (let c = 0; c < headSize; ++c) output.set(final(output.subarray(c * width, (c + 1) * width)), c * width);
    const { matrix: value } = await headProjection(checkpoint, layer, "value", groupOf(architecture, head));
    const inputNorm = await normDirection(checkpoint, blocks[layer].attentionNorms.input);
    maps.push({ layer, head, value, inputNorm, output });
  }
  return maps;
}

/** A head's value of a vector of the stream, but for its length. // [headSize] */
export function headValue({ value, inputNorm }: HeadMap, vector: ArrayLike<number>): Float64Array {
  const seen = inputNorm(vector);
  return multiply(value, seen, seen.length);
}

/** What a head writes for a value, ready for the output matrix. // [width] */
export const written = ({ output }: Pick<HeadMap, "output">, value: Float64Array): Float64Array =>
  multiply(value, output, value.length);

/** How many tokens the output matrix scores above and below a vector's target. */
export interface Ranks {
  readonly above: Float32Array; // [vectors]
  readonly below: Float32Array; // [vectors]
}

/** The output matrix without its bias, on the model's device. */
export class Readout {
  private constructor(
    readonly session: InferenceSession,
    readonly backend: Backend,
  ) {}

  /** @throws UserError where the output is more than a matrix */
  static async open({ backend, weights, architecture }: Model): Promise<Readout> {
    const { projection, linear } = architecture.head;
    if (projection) {
      throw new UserError(
        `head-functions reads heads through the output matrix, but this ${architecture.family} model has a projection before it: take a model without.`,
      );
    }
    const graph = new Graph();
    const { width } = architecture;
    const logits = new Layers(graph, architecture).linear(graph.input("vectors", "float32", ["rows", width]), {
      ...linear,
      bias: undefined,
    }); // [rows, vocabulary]
    const target = graph.node("GatherElements", [logits, graph.input("targets", "int32", ["rows", 1])], { axis: 1 });
    for (const [name, compare] of [
      ["above", "Greater"],
      ["below", "Less"],
    ] as const) {
      const is = graph.node("Cast", [graph.node(compare, [logits, target])], { to: 1 }); // to float32
      graph.output(name, graph.node("ReduceSum", [is, graph.integers(-1)], { keepdims: 0 }));
    }
    return new Readout(await backend.createSession(graph, weights), backend);
  }

  /** @param vectors [rows] × [width] */
  async ranks(vectors: readonly Float64Array[], targets: readonly number[]): Promise<Ranks> {
    const { Tensor } = this.backend;
    const width = vectors[0].length;
    const rows = new Float32Array(vectors.length * width);
    for (const [i, vector] of vectors.entries()) rows.set(vector, i * width);
    const outputs = await this.session.run({
      vectors: new Tensor("float32", rows, [vectors.length, width]),
      targets: new Tensor("int32", Int32Array.from(targets), [vectors.length, 1]),
    });
    return { above: floats(outputs, "above"), below: floats(outputs, "below") };
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

export interface Embeddings {
  /** As heads of layer 0 see tokens. */
  readonly raw: readonly Float32Array[];
  /** What the first layer's MLP makes of it, without the embedding itself. */
  readonly first: readonly Float64Array[];
}

/**
 * Embeddings of tokens. Without its heads the first block adds to each token what its MLP makes of that token alone.
 * @throws UserError where positions are part of embeddings
 */
export async function embeddingsOf(model: Model, tokens: readonly number[]): Promise<Embeddings> {
  const { layers, heads, positions, contextLength, family } = model.architecture;
  if (positions.kind === "learned") {
    throw new UserError(
      `head-functions reads tokens without positions, but embeddings of this ${family} model hold them: take a model with rotary positions, ALiBi or none.`,
    );
  }
  const gate = new Float32Array(layers * heads).fill(1).fill(0, 0, heads);
  const raw: Float32Array[] = [];
  const first: Float64Array[] = [];
  for (let from = 0; from < tokens.length; from += contextLength) {
    const ids = Int32Array.from(tokens.slice(from, from + contextLength));
    const headGate = { data: gate, dims: [layers, heads] };
    const { residual } = await model.forward({ ids, headGate }, { vectors: true });
    if (!residual) throw new Error("the model reported no residual stream");
    for (let token = 0; token < ids.length; ++token) {
      const [before, after] = [row(residual, 0, token), row(residual, 1, token)];
      raw.push(before);
      first.push(Float64Array.from(after, (value, i) => value - before[i]));
    }
  }
  return { raw, first };
}
