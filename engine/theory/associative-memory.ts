/**
 * A head as an associative memory: N pairs of a unit key (cue) and a value of ±1 (response), recalled by the keys
 * themselves. Linear attention keeps M = Σ_j v_j k_jᵀ and answers M q; softmax attention weighs values by
 * softmax(√d_k · k_j · q); the delta rule writes M ← M + (v − M k) kᵀ, one pair after the other.
 * Source: "Understanding Transformers through the Lens of Pavlovian Conditioning" (arXiv 2508.08289, abstract).
 */
import type { Random } from "../random.js";
import { dot, softmax, unitVectors } from "./matrix.js";

export type Rule = "linear" | "softmax" | "delta";

export interface Pairs {
  readonly keys: Float64Array; // [pairs, keySize], of unit length
  readonly values: Float64Array; // [pairs, valueSize], each ±1
  readonly keySize: number;
  readonly valueSize: number;
}

export function randomPairs(random: Random, pairs: number, keySize: number, valueSize: number): Pairs {
  const keys = unitVectors(random, pairs, keySize);
  const values = Float64Array.from({ length: pairs * valueSize }, () => (random.next() < 0.5 ? -1 : 1));
  return { keys, values, keySize, valueSize };
}

/** What the memory answers to each stored key. // [pairs, valueSize] */
export function recall(stored: Pairs, rule: Rule): Float64Array {
  const { keys, values, keySize, valueSize } = stored;
  const pairs = keys.length / keySize;
  const answers = new Float64Array(pairs * valueSize);
  if (rule !== "softmax") {
    const memory = written(stored, rule); // [valueSize, keySize]
    for (let i = 0; i < pairs; ++i)
      for (let v = 0; v < valueSize; ++v)
        answers[i * valueSize + v] = dot(memory, v * keySize, keys, i * keySize, keySize);
    return answers;
  }
  const weights = new Float64Array(pairs);
  for (let i = 0; i < pairs; ++i) {
    for (let j = 0; j < pairs; ++j)
      weights[j] = Math.sqrt(keySize) * dot(keys, j * keySize, keys, i * keySize, keySize);
    softmax(weights);
    for (let j = 0; j < pairs; ++j)
      for (let v = 0; v < valueSize; ++v) answers[i * valueSize + v] += weights[j] * values[j * valueSize + v];
  }
  return answers;
}

/** M after all pairs have been written, each once and in their order. // [valueSize, keySize] */
function written({ keys, values, keySize, valueSize }: Pairs, rule: "linear" | "delta"): Float64Array {
  const memory = new Float64Array(valueSize * keySize);
  for (let i = 0; i < keys.length / keySize; ++i) {
    for (let v = 0; v < valueSize; ++v) {
      const known = rule === "delta" ? dot(memory, v * keySize, keys, i * keySize, keySize) : 0;
      const added = values[i * valueSize + v] - known;
      for (let c = 0; c < keySize; ++c) memory[v * keySize + c] += added * keys[i * keySize + c];
    }
  }
  return memory;
}

/** Mean over pairs of the cosine between answer and stored value. */
export function fidelity(pairs: Pairs, rule: Rule): number {
  const { values, valueSize } = pairs;
  const answers = recall(pairs, rule);
  let sum = 0;
  for (let at = 0; at < answers.length; at += valueSize) {
    const length = Math.sqrt(dot(answers, at, answers, at, valueSize) * valueSize);
    sum += dot(answers, at, values, at, valueSize) / length;
  }
  return (sum * valueSize) / answers.length;
}

/**
 * What it means that linear attention holds its pairs. `worst`: for no key can crosstalk outweigh the stored value,
 * max_i Σ_{j≠i} |k_j · k_i| < 1; `signs`: every sign of every value is answered; `mean`: fidelity above 1/√2.
 */
export type Criterion = "worst" | "signs" | "mean";

export function holds(pairs: Pairs, criterion: Criterion): boolean {
  switch (criterion) {
    case "worst":
      return largestCrosstalk(pairs) < 1;
    case "signs":
      return recall(pairs, "linear").every((answer, i) => answer * pairs.values[i] > 0);
    case "mean":
      return fidelity(pairs, "linear") > Math.SQRT1_2;
  }
}

function largestCrosstalk({ keys, keySize }: Pairs): number {
  const pairs = keys.length / keySize;
  const sums = new Float64Array(pairs);
  for (let i = 0; i < pairs; ++i) {
    for (let j = 0; j < i; ++j) {
      const overlap = Math.abs(dot(keys, i * keySize, keys, j * keySize, keySize));
      sums[i] += overlap;
      sums[j] += overlap;
    }
  }
  return Math.max(...sums);
}

/**
 * The number of pairs at which half of the memories with random pairs still hold them, where the share of those that do
 * falls with the number: bisection on a logarithmic scale, `trials` memories per number.
 */
export function capacity(
  random: Random,
  keySize: number,
  valueSize: number,
  criterion: Criterion,
  trials: number,
): number {
  const share = (pairs: number) => {
    let held = 0;
    for (let trial = 0; trial < trials; ++trial)
      held += Number(holds(randomPairs(random, pairs, keySize, valueSize), criterion));
    return held / trials;
  };
  let low = 1; // one pair is always held
  let high = 4 * keySize; // more than any criterion allows
  while (high / low > 1.02 && high - low > 1) {
    const middle = Math.round(Math.sqrt(low * high));
    if (middle === low || middle === high) break;
    if (share(middle) >= 0.5) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}
