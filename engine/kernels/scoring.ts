/**
 * What turns the products of queries and keys into the scores of one layer:
 *   s[h,q,k] = (softcap(q·k · scale) − slope[h] · |q − k|) / temperature[h] + keyBias[h,k] · 1[k < q]
 * with softcap(x) = cap · tanh(x / cap), or x where there is no cap. Query q sees key k iff k ≤ q (where causal),
 * |q − k| < window, and (where there are pieces) pieces[k] = 0, or pieces[q] = pieces[k], or pieces[q] = −1. A sink is
 * one more score in the row's normalisation that belongs to no key (gpt-oss), divided by the temperature like the others.
 */
import { type Gpu, sliceDeclaration } from "./gpu.js";

/** float16 values lie in pairs, the first in the low half of each 32 bits. */
export type FloatType = "f32" | "f16";

export interface Operand {
  readonly buffer: GPUBuffer;
  readonly type: FloatType;
}

export interface Shape {
  /** Of all sequences of a batch, one sequence after the other. */
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly queries: number;
  readonly keys: number;
}

export interface Scoring {
  readonly scale: number;
  readonly causal: boolean;
  readonly softcap?: number;
  /** Keys that a query sees on one side, itself included. */
  readonly window?: number;
  readonly slopes?: Float32Array; // [heads], ALiBi
  readonly sinks?: Float32Array; // [heads], learned
  readonly temperature?: Float32Array; // [heads]
  readonly keyBias?: Float32Array; // [heads | 1, keys]
  readonly pieces?: Int32Array; // [tokens]
}

/** What a shader is compiled for; everything else is data. */
export interface Traits {
  readonly heads: number;
  readonly headSize: number;
  readonly type: FloatType;
  readonly causal: boolean;
  readonly softcap: boolean;
  readonly window: boolean;
  readonly alibi: boolean;
  readonly sinks: boolean;
  readonly bias: boolean;
  readonly pieces: boolean;
}

export const traitsOf = ({ heads, headSize }: Shape, scoring: Scoring, type: FloatType): Traits => ({
  heads,
  headSize,
  type,
  causal: scoring.causal,
  softcap: scoring.softcap !== undefined,
  window: scoring.window !== undefined,
  alibi: scoring.slopes !== undefined,
  sinks: scoring.sinks !== undefined,
  bias: scoring.keyBias !== undefined,
  pieces: scoring.pieces !== undefined,
});

/** Biases below this hide a key as well as −∞ does, and no product with them becomes NaN. */
const hidingBias = -1e9;

/** The heads of one dispatch, where not all fit into one binding, and where their rows begin in what is bound. */
export interface HeadRange {
  readonly first: number;
  readonly end: number;
  readonly queryOffset: number; // in elements
  readonly keyOffset: number;
}

/** Sizes and per-head constants as the shaders' uniform `layer`; scores are in units of log 2 from here on. */
export function layerUniform(gpu: Gpu, shape: Shape, scoring: Scoring, range: HeadRange): GPUBuffer {
  const { heads, keyValueHeads, queries, keys } = shape;
  const buffer = new ArrayBuffer(32 + 16 * heads);
  const biasStride = scoring.keyBias && scoring.keyBias.length > keys ? keys : 0;
  new Uint32Array(buffer, 0, 8).set([
    queries,
    keys,
    range.first,
    heads / keyValueHeads,
    range.queryOffset / 4,
    range.keyOffset / 4,
    scoring.window ?? 0,
    biasStride,
  ]);
  const constants = new Float32Array(buffer, 32); // [heads, 4]
  for (let head = 0; head < heads; head++) {
    const outer = Math.LOG2E / (scoring.temperature?.[head] ?? 1);
    const cap = scoring.softcap;
    constants.set(
      [
        cap === undefined ? scoring.scale * outer : scoring.scale / cap,
        cap === undefined ? 0 : cap * outer,
        (scoring.slopes?.[head] ?? 0) * outer,
        (scoring.sinks?.[head] ?? 0) * outer,
      ],
      4 * head,
    );
  }
  const uniform = gpu.device.createBuffer({
    size: buffer.byteLength,
    usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  });
  gpu.device.queue.writeBuffer(uniform, 0, buffer);
  return uniform;
}

/** The key bias in units of log 2. */
export const scaledBias = (bias: Float32Array): Float32Array =>
  bias.map((value) => Math.max(value, hidingBias) * Math.LOG2E);

/** Below every score, and so far below where a running maximum begins that exp2 gives 0 without a comparison. */
export const hiddenScore = "-3e38";
export const lowestMaximum = "-1e30";

/** Bindings that every shader begins with: `layer`, queries, keys, then bias and pieces where there are any. */
export function declarations(traits: Traits): string {
  const { heads, type, bias, pieces } = traits;
  const vector = type === "f32" ? "vec4f" : "vec2u";
  let binding = 4;
  return `${sliceDeclaration}
struct Layer {
  queries: u32, keys: u32, firstHead: u32, group: u32, // group: heads per key–value head
  queryOffset: u32, keyOffset: u32, window: u32, biasStride: u32,
  heads: array<vec4f, ${heads}>, // factor, cap, slope, sink
}
@group(0) @binding(1) var<uniform> layer: Layer;
@group(0) @binding(2) var<storage, read> queries: array<${vector}>; // [heads, queries, headSize / 4]
@group(0) @binding(3) var<storage, read> keys: array<${vector}>; // [keyValueHeads, keys, headSize / 4]
${bias ? `@group(0) @binding(${binding++}) var<storage, read> keyBias: array<f32>;` : ""}
${pieces ? `@group(0) @binding(${binding++}) var<storage, read> pieces: array<i32>;` : ""}
${loader("Query", "queries", type)}
${loader("Key", "keys", type)}
${scored(traits)}`;
}

/** The first binding after those of `declarations`. */
export const firstBinding = ({ bias, pieces }: Traits): number => 4 + Number(bias) + Number(pieces);

export const loader = (name: string, buffer: string, type: FloatType): string =>
  type === "f32"
    ? `fn load${name}(at: u32) -> vec4f { return ${buffer}[at]; }`
    : `fn load${name}(at: u32) -> vec4f { let v = ${buffer}[at]; return vec4f(unpack2x16float(v.x), unpack2x16float(v.y)); }`;

/** Products of four query–key pairs of one head → their scores, and which of the pairs are visible. */
function scored({ causal, softcap, window, alibi, bias, pieces }: Traits): string {
  return `
fn scored(product: vec4f, distance: vec4f, bias: vec4f, head: vec4f) -> vec4f {
  var s = product * head.x;
  ${softcap ? "s = head.y * tanh(clamp(s, vec4f(-15), vec4f(15)));" : ""}
  ${alibi ? "s -= head.z * abs(distance);" : ""}
  ${bias ? "s += select(vec4f(0), bias, distance > vec4f(0));" : ""}
  return s;
}
fn visible(distance: vec4f, queryPiece: vec4i, keyPiece: vec4i) -> vec4<bool> {
  var seen = ${causal ? "distance >= vec4f(0)" : "vec4<bool>(true)"};
  ${window ? `seen = seen & (${causal ? "distance" : "abs(distance)"} < vec4f(f32(layer.window)));` : ""}
  ${pieces ? "seen = seen & ((keyPiece == vec4i(0)) | (keyPiece == queryPiece) | (queryPiece == vec4i(-1)));" : ""}
  return seen;
}`;
}
