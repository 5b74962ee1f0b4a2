/**
 * What the causal mask does alone: attention layers without a single weight on independent random inputs.
 *
 * One layer: h = normalise(x); S(i,j) = h_i · h_j · scale; A = softmax of S under the mask; x ← x + A h.
 * Inputs: x_i = unit(z_i + √(α/(1−α)) z_shared) with standard normal z, so that two inputs have a cosine of about α.
 * Source: "Behind RoPE: How Does Causal Mask Encode Positional Information?" (arXiv 2509.21042) and its simulation.
 */
import { Random } from "./random.js";

export interface CausalMaskOptions {
  readonly layers: number;
  readonly tokens: number;
  readonly width: number;
  /** Expected cosine between two inputs, 0 ≤ α < 1. */
  readonly alpha: number;
  readonly mask: "causal" | "full";
  /** `unit`: h = x/‖x‖, scale 1. `layer`: mean 0 and variance 1, scale 1/√width. */
  readonly norm: "unit" | "layer";
  /** Base of the rotation of queries and keys; 0 = none. */
  readonly ropeBase: number;
}

export class CausalMaskSimulation {
  /** Sequences averaged so far. */
  sequences = 0;
  private readonly sums: Float64Array; // [layers, queries, keys]
  private readonly random: Random;
  private readonly cos: Float64Array; // [tokens, width / 2]; empty without rotation
  private readonly sin: Float64Array; // [tokens, width / 2]

  constructor(
    readonly options: CausalMaskOptions,
    seed: number,
  ) {
    const { layers, tokens, width, ropeBase } = options;
    this.random = new Random(seed);
    this.sums = new Float64Array(layers * tokens * tokens);
    const half = width / 2;
    const angles = Float64Array.from(
      { length: ropeBase > 0 ? tokens * half : 0 },
      (_, at) => Math.floor(at / half) * ropeBase ** (-(at % half) / half),
    );
    this.cos = angles.map(Math.cos);
    this.sin = angles.map(Math.sin);
  }

  /** Adds fresh random sequences to the average. */
  run(sequences: number): void {
    const { layers, tokens } = this.options;
    for (let n = 0; n < sequences; ++n) {
      let x = this.inputs(); // [tokens, width]
      for (let layer = 0; layer < layers; ++layer) {
        const { scores, output } = this.layer(x);
        const offset = layer * tokens * tokens;
        for (let at = 0; at < scores.length; ++at) this.sums[offset + at] += scores[at];
        x = output;
      }
    }
    this.sequences += sequences;
  }

  /** Mean score before the softmax of one layer (counted from 0), whatever the mask hides left at 0. */
  scores(layer: number): Float64Array {
    const size = this.options.tokens ** 2;
    return this.sums.slice(layer * size, (layer + 1) * size).map((sum) => sum / this.sequences); // [queries, keys]
  }

  /** One layer on given inputs. */
  layer(x: Float64Array): { scores: Float64Array; output: Float64Array } {
    const { tokens, width, mask, norm } = this.options;
    const h = new Float64Array(x.length); // [tokens, width]
    for (let token = 0; token < tokens; ++token) normalise(x, h, token * width, width, norm);
    const rotated = this.cos.length > 0 ? this.rotate(h) : h; // [tokens, width]
    const scale = norm === "unit" ? 1 : 1 / Math.sqrt(width);
    const scores = new Float64Array(tokens * tokens); // [queries, keys]
    const weights = new Float64Array(tokens); // [keys]
    const output = Float64Array.from(x); // [tokens, width]
    for (let query = 0; query < tokens; ++query) {
      const visible = mask === "causal" ? query + 1 : tokens;
      const row = scores.subarray(query * tokens, query * tokens + visible);
      let total = 0;
      for (let key = 0; key < visible; ++key) {
        row[key] = dot(rotated, query * width, key * width, width) * scale;
        weights[key] = Math.exp(row[key]); // |score| ≤ √width: no overflow to guard against
        total += weights[key];
      }
      for (let key = 0; key < visible; ++key) add(h, key * width, weights[key] / total, output, query * width, width);
    }
    return { scores, output };
  }

  private inputs(): Float64Array {
    const { tokens, width, alpha } = this.options;
    const mix = Math.sqrt(alpha / (1 - alpha));
    const shared = Float64Array.from({ length: width }, () => mix * this.random.normal());
    const x = new Float64Array(tokens * width); // [tokens, width]
    for (let at = 0; at < x.length; ++at) x[at] = this.random.normal() + shared[at % width];
    for (let token = 0; token < tokens; ++token) normalise(x, x, token * width, width, "unit");
    return x;
  }

  private rotate(h: Float64Array): Float64Array {
    const half = this.options.width / 2;
    const rotated = new Float64Array(h.length); // [tokens, width]
    for (let at = 0; at < this.cos.length; ++at) {
      const first = Math.floor(at / half) * 2 * half + (at % half);
      rotated[first] = h[first] * this.cos[at] - h[first + half] * this.sin[at];
      rotated[first + half] = h[first + half] * this.cos[at] + h[first] * this.sin[at];
    }
    return rotated;
  }
}

/** Width is even: four partial sums keep the processor's pipeline full. */
function dot(x: Float64Array, a: number, b: number, width: number): number {
  let even = 0;
  let odd = 0;
  for (let c = 0; c < width; c += 2) {
    even += x[a + c] * x[b + c];
    odd += x[a + c + 1] * x[b + c + 1];
  }
  return even + odd;
}

function add(from: Float64Array, start: number, weight: number, to: Float64Array, at: number, width: number): void {
  for (let c = 0; c < width; ++c) to[at + c] += weight * from[start + c];
}

function normalise(from: Float64Array, to: Float64Array, start: number, width: number, norm: "unit" | "layer"): void {
  let mean = 0;
  if (norm === "layer") for (let c = 0; c < width; ++c) mean += from[start + c] / width;
  let squares = 0;
  for (let c = 0; c < width; ++c) squares += (from[start + c] - mean) ** 2;
  const length = Math.sqrt(norm === "layer" ? squares / width : squares);
  for (let c = 0; c < width; ++c) to[start + c] = (from[start + c] - mean) / length;
}
