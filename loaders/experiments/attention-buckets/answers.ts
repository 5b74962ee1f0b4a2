/** Answers of one run, and of several runs whose logits are mixed at every token. */
import type { Forward } from "../../../engine/forward.js";
import type { Asked } from "../../analysis/questions.js";

export interface Answer {
  /** Of all tokens of the answer, in nats. */
  readonly logProbability: number;
  /** Whether each of its tokens is the most likely one: greedy decoding gives this answer. */
  readonly correct: boolean;
}

/** Logits of the tokens of one answer. // tokens × [vocabulary] */
export type AnswerLogits = readonly Float32Array[];

/** Copies, so that the logits of all other tokens can be forgotten. */
export function answerLogits({ logits }: Forward, { answer, end }: Asked): AnswerLogits {
  if (!logits) throw new Error('The forward pass was not asked for logits: "all".');
  const [, vocabulary] = logits.dims;
  return Array.from({ length: end - answer }, (_, i) =>
    logits.data.slice((answer - 1 + i) * vocabulary, (answer + i) * vocabulary),
  );
}

/** Reads an answer from logits. @param ids tokens of the answer */
export function answerOf(logits: AnswerLogits, ids: Int32Array): Answer {
  let logProbability = 0;
  let correct = true;
  for (const [i, row] of logits.entries()) {
    const top = largest(row);
    let sum = 0;
    for (const logit of row) sum += Math.exp(logit - top);
    logProbability += row[ids[i]] - top - Math.log(sum);
    correct &&= row[ids[i]] === top;
  }
  return { logProbability, correct };
}

/**
 * z = Σ_j α_j z_j over runs, token by token, with α the softmax over runs of each run's largest logit, or equal.
 * Source: inference/utils.py of the authors' code.
 */
export function mixed(runs: readonly AnswerLogits[], weights: "confidence" | "equal"): AnswerLogits {
  return runs[0].map((first, token) => {
    const rows = runs.map((run) => run[token]);
    const confidence = rows.map((row) => (weights === "equal" ? 0 : largest(row)));
    const top = Math.max(...confidence);
    const shares = confidence.map((of) => Math.exp(of - top));
    const total = shares.reduce((sum, share) => sum + share, 0);
    const logits = new Float32Array(first.length);
    for (const [run, row] of rows.entries()) {
      for (let v = 0; v < logits.length; ++v) logits[v] += (shares[run] / total) * row[v];
    }
    return logits;
  });
}

function largest(values: Float32Array): number {
  let top = Number.NEGATIVE_INFINITY;
  for (const value of values) if (value > top) top = value;
  return top;
}
