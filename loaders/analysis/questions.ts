/**
 * Many questions about one context in one forward pass: every question is a piece that sees the context and itself,
 * at the positions it would have if it were the only one. The numbers are those of one pass per question.
 */
import type { Forward, Prompt } from "../../engine/forward.js";
import type { Tokenizer } from "../../engine/tokenizer.js";

export interface Question {
  readonly text: string;
  readonly answer: string;
}

/** Token positions of one question in the prompt: the question itself, then its answer. */
export interface Asked {
  readonly start: number;
  /** First token of the answer; the one before it predicts it. */
  readonly answer: number;
  /** One past the answer. */
  readonly end: number;
}

export interface Questionnaire {
  readonly prompt: Prompt;
  readonly questions: readonly Asked[];
}

export function askAll(context: Int32Array, questions: readonly Question[], tokenizer: Tokenizer): Questionnaire {
  const pieces = questions.map(({ text, answer }) => {
    const alone = tokenizer.encode(text);
    const answered = tokenizer.encode(`${text} ${answer}`);
    let shared = 0; // a tokenizer may join the question's last characters with the answer's first
    while (shared < alone.length && alone[shared] === answered[shared]) ++shared;
    return { ids: answered, question: shared };
  });
  const tokens = pieces.reduce((sum, { ids }) => sum + ids.length, context.length);
  const prompt = { ids: new Int32Array(tokens), positions: new Int32Array(tokens), pieces: new Int32Array(tokens) };
  prompt.ids.set(context);
  for (let at = 0; at < context.length; ++at) prompt.positions[at] = at;
  let start = context.length;
  const asked = pieces.map(({ ids, question }, piece) => {
    const span = { start, answer: start + question, end: start + ids.length };
    prompt.ids.set(ids, start);
    for (let i = 0; i < ids.length; ++i) prompt.positions[start + i] = context.length + i;
    prompt.pieces.fill(piece + 1, start, span.end);
    start = span.end;
    return span;
  });
  return { prompt, questions: asked };
}

/** Log-probability of the answer in nats, and whether each of its tokens was the most likely one. Needs `logits: "loss"`. */
export function score(forward: Forward, { answer, end }: Asked): { logProbability: number; correct: boolean } {
  if (!forward.logProbability || !forward.correct)
    throw new Error('The forward pass was not asked for logits: "loss".');
  let logProbability = 0;
  for (let at = answer; at < end; ++at) logProbability += forward.logProbability[at - 1];
  return { logProbability, correct: forward.correct.subarray(answer - 1, end - 1).every((right) => right === 1) };
}
