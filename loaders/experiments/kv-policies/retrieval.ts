/**
 * Retrieval heads (https://arxiv.org/abs/2404.15574): heads whose most attended key, while an answer is given, is the
 * token of the answer in the context that comes next. Answers are given to the model, not drawn from it.
 */
import type { Forward, Prompt, Request } from "../../../engine/forward.js";
import { mean } from "../../../engine/interval.js";
import type { Random } from "../../../engine/random.js";
import { sameLayers, withoutHeads } from "../../analysis/head-gate.js";
import { score } from "../../analysis/questions.js";
import type { Context } from "../positional-bias/contexts.js";
import { readersOf, type Shape } from "./stages.js";

export function retrievalRequest({ prompt, questions, answers }: Context): Request {
  const target = new Int32Array(prompt.ids.length).fill(-1); // [tokens]
  questions.forEach(({ answer, end }, i) => {
    for (let token = answer; token < end; ++token) target[token - 1] = answers[i] + token - answer;
  });
  return { rows: true, targets: [target], logits: "loss" };
}

export interface HeadScores {
  /** Share of the answers' tokens that each head copies, mean over the questions that count. // [layers · heads] */
  readonly copied: readonly number[];
  /** Attention on the tokens of the answer, which tells heads apart that never copy. // [layers · heads] */
  readonly attention: readonly number[];
}

/** @param answered whether only questions count that the model answers; NaN where there is none */
export function headScores(context: Context, forward: Forward, answered: boolean): HeadScores {
  const { pattern, maximum } = forward;
  if (!pattern || !maximum) throw new Error("Retrieval scores need rows and targets.");
  const [layers, heads, , tokens] = pattern.dims;
  const counted = context.questions.filter((question) => !answered || score(forward, question).correct);
  const overHeads = (of: (at: number) => number) =>
    Array.from({ length: layers * heads }, (_, head) =>
      mean(
        counted.map(({ answer, end }) =>
          mean(Array.from({ length: end - answer }, (_, i) => of(head * tokens + answer - 1 + i))),
        ),
      ),
    );
  return {
    copied: overHeads((at) => Number(pattern.data[at] >= maximum.data[at])),
    attention: overHeads((at) => pattern.data[at]),
  };
}

/** Means over the contexts that have any, for each head. */
export function meanScores(contexts: readonly (readonly number[])[]): number[] {
  const told = contexts.filter((of) => !of.some(Number.isNaN));
  return contexts[0].map((_, head) => (told.length > 0 ? mean(told.map((of) => of[head])) : 0));
}

/** Key–value heads from the one with the highest score: that of the best head that reads it. */
export function byScore({ copied, attention }: HeadScores, shape: Shape): number[] {
  const best = (of: readonly number[]) => readersOf(shape).map((heads) => Math.max(...heads.map((head) => of[head])));
  const [scores, ties] = [best(copied), best(attention)];
  return scores.map((_, head) => head).sort((a, b) => scores[b] - scores[a] || ties[b] - ties[a]);
}

export const masks = ["uniform", "silent"] as const;
/** `uniform`: the head attends to all keys alike, as in the paper; `silent`: its output is 0. */
export type Mask = (typeof masks)[number];

/** Divides scores so far that a softmax over them is uniform in float32. */
const FLAT = 1e7;

export function masked(prompt: Prompt, heads: readonly number[], mask: Mask, shape: Shape): Prompt {
  if (mask === "silent") return { ...prompt, headGate: withoutHeads(shape, heads) };
  const data = new Float32Array(shape.layers * shape.heads).fill(1); // [layers, heads]
  for (const head of heads) data[head] = FLAT;
  return { ...prompt, temperature: { data, dims: [shape.layers, shape.heads] } };
}

/** Heads to mask, the retrieval scores of all, and the score above which a head is a retrieval head. */
export interface Chosen {
  readonly heads: readonly number[];
  readonly scores: readonly number[];
  readonly threshold: number;
}

/** Other heads of the same layers that are no retrieval heads, one for each where the layer has as many. */
export function matched({ heads, scores, threshold }: Chosen, perLayer: number, random: Random): number[] {
  const others = scores.flatMap((score, head) => (score <= threshold && !heads.includes(head) ? [head] : []));
  return sameLayers(heads, others, perLayer, random);
}
