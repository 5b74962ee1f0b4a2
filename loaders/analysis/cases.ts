/**
 * Cases: a few of an experiment's questions with their tokens and with what was measured, so that anybody who has the
 * model can measure it again from these rows alone. The values are the experiment's own, of a pass over all questions
 * about a context; the tokens are those of the context with one of them, which must give the same.
 */
import { batch, table } from "../table.js";
import type { Questionnaire } from "./questions.js";

const prompt = { kind: "text", meaning: "What was asked: list or context, and question" } as const;

export const cases = table("cases", "Single questions and what was measured, to be computed again", {
  prompt,
  what: {
    kind: "text",
    meaning:
      "log-probability: of the answer, in nats; answered: 1 where each of its tokens was the most likely one; attention: of the position that predicts the answer, on a stretch of tokens, mean over the heads of a layer",
  },
  stretch: { kind: "int32", meaning: "Stretch of the prompt, from 1; missing: the answer", optional: true },
  layer: { kind: "int32", meaning: "Layer, from 0; missing: the answer", optional: true },
  value: { kind: "float32", meaning: "What was measured" },
});

export const caseTokens = table("case_tokens", "The tokens of these questions", {
  prompt,
  position: { kind: "int32", meaning: "Position of the token, from 0" },
  id: { kind: "int32", meaning: "Number of the token in the vocabulary" },
  token: { kind: "text", meaning: "What it stands for" },
  stretch: { kind: "int32", meaning: "Stretch whose attention is measured, from 1", optional: true },
  answer: { kind: "flag", meaning: "Whether it is part of the answer" },
});

export interface Case {
  readonly prompt: string;
  /** Which question. */
  readonly question: number;
  /** Stretches of the context: their tokens, and by layer the attention on them. */
  readonly stretches: readonly {
    readonly first: number;
    readonly end: number;
    readonly attention: readonly number[]; // [layers]
  }[];
  readonly logProbability: number;
  readonly correct: boolean;
}

/** @param token what a number of the vocabulary stands for */
export function* caseTables(
  { prompt: { ids }, questions }: Questionnaire,
  { prompt, question, stretches, logProbability, correct }: Case,
  token: (id: number) => string,
) {
  const { start, answer, end } = questions[question];
  const context = questions[0].start;
  const alone = [...ids.subarray(0, context), ...ids.subarray(start, end)]; // one question after the context
  yield batch(
    caseTokens,
    alone.map((id, position) => {
      const stretch = stretches.findIndex(({ first, end }) => first <= position && position < end);
      return {
        prompt,
        position,
        id,
        token: token(id),
        stretch: stretch < 0 ? null : stretch + 1,
        answer: position >= context + answer - start,
      };
    }),
  );
  const ofAnswer = { prompt, stretch: null, layer: null };
  yield batch(cases, [
    { ...ofAnswer, what: "log-probability", value: logProbability },
    { ...ofAnswer, what: "answered", value: Number(correct) },
    ...stretches.flatMap(({ attention }, i) =>
      attention.map((value, layer) => ({ prompt, what: "attention", stretch: i + 1, layer, value })),
    ),
  ]);
}
