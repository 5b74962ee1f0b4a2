/** The heads of a model as sums over singular directions, and pairs of tokens whose scores are split. */
import { mean } from "../../../engine/interval.js";
import type { Model } from "../../../engine/model.js";
import type { Random } from "../../../engine/random.js";
import { dot } from "../../../engine/theory/matrix.js";
import { type Rotation, ScoreDirections, turned } from "../../../engine/theory/score-directions.js";
import { groupOf, headOutput, headProjection } from "../../analysis/head-weights.js";
import { pairsOf } from "../../analysis/rotary-pairs.js";
import { type ThroughNorm, throughNorm } from "../../analysis/through-norm.js";
import { row, type Vectors } from "../../analysis/vectors.js";

/** What belongs to one head. */
export interface Head {
  readonly scores: ScoreDirections;
  readonly rotation: Rotation;
  /** From the layer's normed input. // [headSize, width] */
  readonly key: Float64Array;
  readonly output: Float64Array; // [headSize, width]
  readonly throughNorm: ThroughNorm;
}

/** All heads of a model, layer by layer. */
export async function headsOf({ checkpoint, architecture }: Model): Promise<Head[]> {
  const { layers, heads, positions, headSize, contextLength, blocks } = architecture;
  const found: Head[] = [];
  for (let at = 0; at < layers * heads; ++at) {
    const [layer, head] = [Math.floor(at / heads), at % heads];
    const { rope } = blocks[layer].attention;
    const turns = positions.kind === "rope" && rope !== undefined ? positions.ropes[rope] : undefined;
    const rotation = {
      pairs: turns ? pairsOf(turns, headSize).dimensions : [],
      frequencies: turns?.frequencies(contextLength) ?? [],
    };
    const scaled = async (part: "query" | "key", of: number) => {
      const { matrix, bias } = await headProjection(checkpoint, layer, part, of);
      const factor = turns?.factor ?? 1;
      return { matrix: matrix.map((weight) => factor * weight), bias: bias.map((weight) => factor * weight) };
    };
    const key = await scaled("key", groupOf(architecture, head));
    const scores = new ScoreDirections(await scaled("query", head), key, rotation);
    found.push({
      scores,
      rotation,
      key: key.matrix,
      output: await headOutput(checkpoint, layer, head),
      throughNorm: await throughNorm(checkpoint, blocks[layer].attentionNorms.input),
    });
  }
  return found;
}

/** A query and a key that it may attend to. */
export interface Pair {
  readonly query: number;
  readonly key: number;
}

export const locate = ({ architecture: { heads } }: Vectors, at: number) =>
  [Math.floor(at / heads), at % heads] as const;

/** Queries and keys of a head as attention sees them. */
export function queryAndKey(read: Vectors, at: number, { query, key }: Pair): [Float32Array, Float32Array] {
  const [layer, head] = locate(read, at);
  return [row(read.queries, layer, head, query), row(read.keys, layer, groupOf(read.architecture, head), key)];
}

/** The score before its scale, term by term. // [headSize] */
export function termsOf({ scores, rotation }: Head, read: Vectors, at: number, { query, key }: Pair): Float64Array {
  const [q, k] = queryAndKey(read, at, { query, key });
  const distance = query - key;
  const left = scores.alongQuery(turned(q, rotation, -query), distance);
  const right = scores.alongKey(turned(k, rotation, -key), distance);
  return scores.at(distance).values.map((value, i) => value * left[i] * right[i]);
}

/** The same score in another basis of the head's dimensions. @param basis [headSize, headSize], one vector a row */
export function termsIn(basis: Float64Array, read: Vectors, at: number, pair: Pair): Float64Array {
  const [q, k] = queryAndKey(read, at, pair);
  return Float64Array.from(q, (_, c) => {
    return dot(basis, c * q.length, q, 0, q.length) * dot(basis, c * q.length, k, 0, q.length);
  });
}

interface Drawing {
  /** A head fires where its attention is at least this. */
  readonly firing: number;
  /** Firings of a head that are drawn at most. */
  readonly perHead: number;
}

/** Some of a head's firings in one prompt. */
export function drawFirings(read: Vectors, at: number, { firing, perHead }: Drawing, random: Random): Pair[] {
  const found: Pair[] = [];
  const [layer, head] = locate(read, at);
  for (let query = 1; query < read.attention.dims[2]; ++query) {
    const weights = row(read.attention, layer, head, query);
    for (let key = 1; key <= query; ++key) {
      if (weights[key] < firing) continue;
      const [q, k] = queryAndKey(read, at, { query, key });
      if (dot(q, 0, k, 0, q.length) >= 0) found.push({ query, key });
    }
  }
  return random.shuffle(found).slice(0, perHead);
}

/** A pair at the same distance that does not fire; none where a few tries find only firings. */
export function drawOther(
  read: Vectors,
  at: number,
  pair: Pair,
  { firing }: Pick<Drawing, "firing">,
  random: Random,
): Pair | undefined {
  const [layer, head] = locate(read, at);
  const distance = pair.query - pair.key;
  for (let tries = 0; tries < 20; ++tries) {
    const query = distance + random.int(read.attention.dims[2] - distance);
    if (row(read.attention, layer, head, query)[query - distance] < firing) return { query, key: query - distance };
  }
  return undefined;
}

/** Mean attention of every head on the token before, and on what followed the earlier copy. // [layers · heads] */
export interface Roles {
  readonly previous: readonly number[];
  readonly induction: readonly number[];
}

export function rolesOf(read: Vectors, period: number): Roles {
  const { layers, heads } = read.architecture;
  const tokens = read.attention.dims[2];
  const onto = (distance: number) =>
    Array.from({ length: layers * heads }, (_, at) => {
      const second = Array.from({ length: period }, (_, i) => tokens - period + i);
      return mean(second.map((query) => row(read.attention, ...locate(read, at), query)[query - distance]));
    });
  return { previous: onto(1), induction: onto(period - 1) };
}

/** Firings of a head on what followed the earlier copy. */
export function drawInductions(
  read: Vectors,
  at: number,
  { period, firing, perHead }: Drawing & { readonly period: number },
  random: Random,
): Pair[] {
  const tokens = read.attention.dims[2];
  const pairs = Array.from({ length: period }, (_, i) => {
    const query = tokens - period + i;
    return { query, key: query - period + 1 };
  });
  const fires = ({ query, key }: Pair) => row(read.attention, ...locate(read, at), query)[key] >= firing;
  return random.shuffle(pairs.filter(fires)).slice(0, perHead);
}
