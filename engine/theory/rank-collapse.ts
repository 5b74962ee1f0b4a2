/**
 * Stacks of self-attention with random weights, and how far their tokens are from being all the same.
 *
 * One layer: y = Σ_h softmax(x W_q W_kᵀ xᵀ · sharpness / √(head size)) x W_v W_o, plus x where attention has its skip
 * connection; then, where there is an MLP, z = relu(y W_1) W_2, plus y where it has its own. Each part may be followed
 * by a layer norm. Relative residual ρ = ‖X − 1 mᵀ‖ / ‖X‖ with m the mean over tokens and the composite norm
 * ‖R‖ = √(‖R‖₁ ‖R‖_∞), largest column sum times largest row sum of absolute values.
 * Source: "Attention is Not All You Need: Pure Attention Loses Rank Doubly Exponentially with Depth", definitions as in
 * its plotting code, https://github.com/twistedcubic/attention-rank-collapse
 */
import { Random } from "../random.js";
import { dot, multiply, normals, softmax } from "./matrix.js";

export interface StackOptions {
  readonly layers: number;
  readonly tokens: number;
  readonly width: number;
  readonly heads: number;
  /** Skip connection around attention. */
  readonly skip: boolean;
  /** No MLP, one without and one with a skip connection of its own. */
  readonly mlp: "none" | "plain" | "skip";
  readonly norm: boolean;
  /** Factor on the scores before the softmax. */
  readonly sharpness: number;
}

/** ρ of the input and after each layer. // [layers + 1] */
export function relativeResiduals(options: StackOptions, seed: number): number[] {
  const { layers, tokens, width, norm } = options;
  const random = new Random(seed);
  let x = normals(random, tokens * width); // [tokens, width]
  if (norm) layerNorm(x, width);
  const residuals = [relativeResidual(x, width)];
  for (let layer = 0; layer < layers; ++layer) {
    let y = attention(x, options, random); // [tokens, width]
    if (options.skip) y = y.map((value, i) => value + x[i]);
    if (norm) layerNorm(y, width);
    if (options.mlp !== "none") {
      const z = perceptron(y, width, random); // [tokens, width]
      x = options.mlp === "skip" ? z.map((value, i) => value + y[i]) : z;
      if (norm) layerNorm(x, width);
    } else x = y;
    residuals.push(relativeResidual(x, width));
  }
  return residuals;
}

export function relativeResidual(x: Float64Array, width: number): number {
  const tokens = x.length / width;
  const mean = new Float64Array(width);
  for (let i = 0; i < x.length; ++i) mean[i % width] += x[i] / tokens;
  return (
    compositeNorm(
      x.map((value, i) => value - mean[i % width]),
      width,
    ) / compositeNorm(x, width)
  );
}

function compositeNorm(x: Float64Array, width: number): number {
  const columns = new Float64Array(width);
  const rows = new Float64Array(x.length / width);
  for (let i = 0; i < x.length; ++i) {
    columns[i % width] += Math.abs(x[i]);
    rows[Math.floor(i / width)] += Math.abs(x[i]);
  }
  return Math.sqrt(Math.max(...columns) * Math.max(...rows));
}

function attention(x: Float64Array, { width, heads, sharpness }: StackOptions, random: Random): Float64Array {
  const tokens = x.length / width;
  const size = width / heads;
  const weights = () => normals(random, width * width, 1 / Math.sqrt(width)); // [width, width]
  const [queries, keys, values] = [weights(), weights(), weights()].map((w) => multiply(x, w, width)); // [tokens, width]
  const mixed = new Float64Array(x.length); // [tokens, width]
  const row = new Float64Array(tokens);
  for (let head = 0; head < heads; ++head) {
    for (let query = 0; query < tokens; ++query) {
      const at = query * width + head * size;
      for (let key = 0; key < tokens; ++key)
        row[key] = (sharpness * dot(queries, at, keys, key * width + head * size, size)) / Math.sqrt(size);
      softmax(row);
      for (let key = 0; key < tokens; ++key)
        for (let c = 0; c < size; ++c) mixed[at + c] += row[key] * values[key * width + head * size + c];
    }
  }
  return multiply(mixed, weights(), width); // [tokens, width]
}

/** Weights keep the mean square of the activations (He initialisation). */
function perceptron(y: Float64Array, width: number, random: Random): Float64Array {
  const hidden = 4 * width;
  const first = multiply(y, normals(random, width * hidden, Math.sqrt(2 / width)), width); // [tokens, hidden]
  const active = first.map((value) => Math.max(0, value));
  return multiply(active, normals(random, hidden * width, Math.sqrt(1 / hidden)), hidden); // [tokens, width]
}

function layerNorm(x: Float64Array, width: number): void {
  for (let start = 0; start < x.length; start += width) {
    const row = x.subarray(start, start + width);
    let mean = 0;
    for (const value of row) mean += value / width;
    let variance = 0;
    for (const value of row) variance += (value - mean) ** 2 / width;
    for (let c = 0; c < width; ++c) row[c] = (row[c] - mean) / Math.sqrt(variance);
  }
}
