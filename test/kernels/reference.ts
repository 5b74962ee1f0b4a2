/** Attention of one layer in plain float64, from its definition in engine/kernels/scoring.ts, for the kernels to be held against. */
import type { Scoring, Shape } from "../../engine/kernels/scoring.js";

/** @returns heads × queries × [all keys], 0 where hidden */
export function attentionOf(
  { heads, keyValueHeads, headSize, queries, keys }: Shape,
  scoring: Scoring,
  query: ArrayLike<number>,
  key: ArrayLike<number>,
): Float64Array[][] {
  const {
    scale,
    causal,
    softcap,
    window = Number.POSITIVE_INFINITY,
    slopes,
    sinks,
    temperature,
    keyBias,
    pieces,
  } = scoring;
  const visible = (q: number, k: number): boolean =>
    (!causal || k <= q) &&
    Math.abs(q - k) < window &&
    (!pieces || pieces[k] === 0 || pieces[k] === pieces[q] || pieces[q] === -1);
  return Array.from({ length: heads }, (_, head) => {
    const group = Math.floor((head * keyValueHeads) / heads);
    return Array.from({ length: queries }, (_, q) => {
      const scores = Float64Array.from({ length: keys }, (_, k) => {
        if (!visible(q, k)) return Number.NEGATIVE_INFINITY;
        let s = 0;
        for (let d = 0; d < headSize; d++) {
          s += query[(head * queries + q) * headSize + d] * key[(group * keys + k) * headSize + d];
        }
        s *= scale;
        if (softcap) s = softcap * Math.tanh(s / softcap);
        s -= (slopes?.[head] ?? 0) * Math.abs(q - k);
        s /= temperature?.[head] ?? 1;
        if (keyBias && k < q) s += keyBias[(keyBias.length > keys ? head * keys : 0) + k];
        return s;
      });
      const sink = (sinks?.[head] ?? Number.NEGATIVE_INFINITY) / (temperature?.[head] ?? 1);
      const largest = Math.max(sink, ...scores);
      const powers = scores.map((s) => Math.exp(s - largest));
      const total = powers.reduce((a, b) => a + b) + Math.exp(sink - largest);
      return powers.map((power) => power / total);
    });
  });
}

/** Rounds to float16, ties to even. @returns the bits */
export function toHalf(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 255) - 112;
  if (exponent <= 0) return sign | Math.round(Math.abs(value) * 2 ** 24);
  if (exponent > 30) return sign | 0x7c00;
  const mantissa = bits & 0x7fffff;
  const half = (exponent << 10) | (mantissa >>> 13);
  const rest = mantissa & 0x1fff;
  return sign | (half + Number(rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1)));
}

export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
