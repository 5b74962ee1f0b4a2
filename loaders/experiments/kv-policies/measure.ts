/** What one forward pass says about what follows a context: loss, answers, and the attention on the context's keys. */
import type { Forward, Values } from "../../../engine/forward.js";
import { mean, spearman } from "../../../engine/interval.js";
import { score } from "../../analysis/questions.js";
import { row } from "../../analysis/vectors.js";
import type { Context } from "../positional-bias/contexts.js";
import { matrixOf, receivedFrom } from "./policies.js";
import { type Base, inReading, keyValueHeadOf, type Shape, type Survival } from "./stages.js";

export interface Answered {
  /** Share of the questions. */
  readonly correct: number;
  /** Mean over questions, nats. */
  readonly logProbability: number;
}

/** Attention from which on a key is active: what it would receive if all keys of a context received the same. */
export const activeFrom = (keys: number) => 1 / keys;

/** Loss of the tokens in one reading of a text's end, its first one apart, which the context's last query predicts. */
export function lossOf({ logProbability }: Forward, { prompt, tokens }: Base, reading = 0): number {
  if (!logProbability) throw new Error("The forward pass reports no loss.");
  const end = prompt.ids.length - tokens;
  const first = tokens + reading * end;
  return -mean(logProbability.subarray(first, first + end - 1));
}

/** Answers to the questions in one reading of them. */
export function answersOf(forward: Forward, context: Context, reading = 0): Answered {
  const scored = context.questions.map((question) => score(forward, inReading(context, question, reading)));
  return {
    correct: mean(scored.map(({ correct }) => Number(correct))),
    logProbability: mean(scored.map(({ logProbability }) => logProbability)),
  };
}

/** Attention of the queries after a context on its keys that survive a cut ÷ that on all its keys. // [layers · heads] */
export function coveredBy(
  survival: Survival,
  cut: number,
  forward: Forward,
  tokens: number,
  shape: Shape,
): Float64Array {
  return Float64Array.from({ length: shape.layers * shape.heads }, (_, head) => {
    const received = laterAttention(forward, head, tokens);
    const survived = survival[keyValueHeadOf(head, shape)];
    const kept = received.reduce((sum, mass, key) => sum + (survived[key] >= cut ? mass : 0), 0);
    return kept / received.reduce((sum, mass) => sum + mass, 0);
  });
}

/** Share of the answers in a context whose first token is among the keys that survive a cut. // [layers · heads] */
export function heldBy(survival: Survival, cut: number, answers: readonly number[], shape: Shape): Float64Array {
  return Float64Array.from({ length: shape.layers * shape.heads }, (_, head) => {
    const survived = survival[keyValueHeadOf(head, shape)];
    return mean(answers.map((key) => Number(survived[key] >= cut)));
  });
}

/** What the keys of a context receive from the queries after it. // [keys] */
function laterAttention({ attention, tokens: all }: Forward, head: number, tokens: number): Float64Array {
  return receivedFrom(required(attention), head, tokens, all, tokens);
}

function required(values: Values | undefined): Values {
  if (!values) throw new Error("The forward pass lacks what was asked for.");
  return values;
}

/** Rows of attention of the queries after a context on its keys. // queries × [keys] */
export function laterRows({ attention, tokens: all }: Forward, head: number, tokens: number): Float32Array[] {
  const matrix = matrixOf(required(attention), head);
  return Array.from({ length: all - tokens }, (_, i) =>
    matrix.subarray((tokens + i) * all, (tokens + i) * all + tokens),
  );
}

/** What explains the policies, for each head. // [layers · heads] */
export interface HeadTraits {
  readonly sink: readonly number[];
  readonly entropy: readonly number[];
  readonly normCorrelation: readonly number[];
}

export function traitsOf(forward: Forward, tokens: number, shape: Shape): HeadTraits {
  const { tokens: all } = forward;
  const [entropy, keyNorm] = [required(forward.entropy), required(forward.keyNorm)];
  const overHeads = (of: (head: number) => number) =>
    Array.from({ length: shape.layers * shape.heads }, (_, i) => of(i));
  const later = all - tokens;
  return {
    sink: overHeads((head) => laterAttention(forward, head, tokens)[0] / later),
    entropy: overHeads((head) =>
      mean(Array.from({ length: later }, (_, i) => entropy.data[head * all + tokens + i] / Math.log(tokens + i + 1))),
    ),
    normCorrelation: overHeads((head) => {
      const shared = keyValueHeadOf(head, shape);
      const norms = row(keyNorm, Math.floor(shared / shape.keyValueHeads), shared % shape.keyValueHeads);
      return spearman(norms.subarray(1, tokens), laterAttention(forward, head, tokens).subarray(1));
    }),
  };
}
