/** Attention with linear biases (Press et al. 2021, https://arxiv.org/abs/2108.12409). */
import type { Positions } from "./architecture.js";

type Alibi = Extract<Positions, { kind: "alibi" }>;

/**
 * Biases of positions, counted from one of them: what a key gains, and what a query's own position takes away again.
 * Counted from nearby, float32 keeps them apart however far the sequence goes.
 * @returns [heads, positions]
 */
export function alibi({ slopes, factor, rounded }: Alibi, positions: Int32Array, from: number): Float32Array {
  const bias = rounded
    ? (slope: number, position: number) => bfloat16(bfloat16(slope) * position)
    : (slope: number, position: number) => slope * position;
  const biases = new Float32Array(slopes.length * positions.length);
  slopes.forEach((slope, head) => {
    const origin = bias(slope, from);
    positions.forEach((position, i) => {
      biases[head * positions.length + i] = factor * (bias(slope, position) - origin);
    });
  });
  return biases;
}

/** The nearest number with eight significant bits; of two equally near, the even one. */
export function bfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0];
}
