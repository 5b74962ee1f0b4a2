/** Interventions on keys, as biases on the scores of later queries. */
import type { Broadcast } from "../../../engine/forward.js";
import { laterSinkThreshold } from "../../../engine/metrics/sinks.js";
import type { Random } from "../../../engine/random.js";
import type { Reading } from "./reading.js";

/** Keys per layer and head. */
export type KeysOfHeads = readonly (readonly number[])[]; // layers · heads × keys

const HIDDEN = -1e9;

/** One key for all layers and heads: hidden, or its weight before renormalisation multiplied by `factor`. */
export function biasOne(tokens: number, key: number, factor: number): Broadcast {
  const data = new Float32Array(tokens);
  data[key] = factor > 0 ? Math.log(factor) : HIDDEN;
  return { data, dims: [1, 1, tokens] };
}

/**
 * Each head's own keys, their weights before renormalisation multiplied by `factor`: with mass m on them, they keep
 * factor · m ÷ (1 − (1 − factor) · m) and every other key grows by the same ratio.
 */
export function biasHeads(keys: KeysOfHeads, layers: number, tokens: number, factor: number): Broadcast {
  const data = new Float32Array(keys.length * tokens);
  for (const [head, of] of keys.entries()) for (const key of of) data[head * tokens + key] = Math.log(factor);
  return { data, dims: [layers, keys.length / layers, tokens] };
}

/** Sinks of each head after the first that is found, which is left alone: it is the first token where that is one. */
export function damped({ alpha, sinks }: Reading): KeysOfHeads {
  return sinks.map((later, head) => (alpha[head][0] > laterSinkThreshold ? later : later.slice(1)));
}

/** The same keys in some heads, none in the others. */
export function only(keys: KeysOfHeads, heads: readonly number[]): KeysOfHeads {
  return keys.map((of, head) => (heads.includes(head) ? of : []));
}

/**
 * Random keys that together receive about as much as the given ones: drawn until they receive no less.
 * @param received attention per key, summed over queries // [tokens]
 * @param eligible keys to draw from
 */
export function equalMass(
  received: ArrayLike<number>,
  keys: readonly number[],
  eligible: readonly number[],
  random: Random,
): number[] {
  const wanted = keys.reduce((sum, key) => sum + received[key], 0);
  const drawn: number[] = [];
  let mass = 0;
  for (const key of random.shuffle(eligible)) {
    if (mass >= wanted) break;
    drawn.push(key);
    mass += received[key];
  }
  return drawn;
}
