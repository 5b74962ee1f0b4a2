/** What a change of a model does to reading from the context, and to what it knows without. */
import type { Broadcast } from "../../engine/forward.js";
import { mean } from "../../engine/interval.js";
import type { Model } from "../../engine/model.js";
import type { Judgement } from "../experiment.js";
import type { ListPrompt } from "./list-prompt.js";
import { score } from "./questions.js";

export const tasks = ["context", "text"] as const;
/** Facts asked from a list, or the next tokens of running text. */
export type Task = (typeof tasks)[number];

export type Accuracies = Readonly<Record<Task, readonly number[]>>;

/** Share of the questions that are answered, by list, and of next tokens that are the most likely, by text. */
export async function accuracies(
  model: Model,
  lists: readonly ListPrompt[],
  texts: readonly { readonly ids: Int32Array }[],
  advance: (message: string) => void,
  headGate?: Broadcast,
): Promise<Accuracies> {
  const [context, text]: [number[], number[]] = [[], []];
  for (const { prompt, questions } of lists) {
    advance("facts from lists");
    const forward = await model.forward({ ...prompt, headGate }, { logits: "loss" });
    context.push(mean(questions.map((question) => Number(score(forward, question).correct))));
  }
  for (const { ids } of texts) {
    advance("running text");
    const { correct } = await model.forward({ ids, headGate }, { logits: "loss" });
    text.push(mean(correct ?? []));
  }
  return { context, text };
}

/** Accuracy on one list or text, of the whole model and of the changed one. */
export interface Unit {
  readonly whole: number;
  readonly cut: number;
}

/** Units of a task, from runs whose accuracies are averaged. */
export function unitsOf(task: Task, whole: Accuracies, runs: readonly Accuracies[]): Unit[] {
  return whole[task].map((of, unit) => ({ whole: of, cut: mean(runs.map((run) => run[task][unit])) }));
}

/** Below this share of right answers there is too little to lose. */
const ANSWERED = 0.05;

/** Why a claim about losses is not testable, to be added to its rule. */
export const answeredRule = `Not testable where the whole model is right less than ${100 * ANSWERED} % of the time.`;

/** A claim about what is lost, or "not testable" where there was too little to lose. */
export function whereAnswered(judgement: Judgement, ...tasks: readonly (readonly Unit[])[]): Judgement {
  const able = tasks.every((units) => mean(units.map(({ whole }) => whole)) >= ANSWERED);
  return able ? judgement : { ...judgement, outcome: "not testable at this scale" };
}

/** 1 − accuracy of the changed model ÷ accuracy of the whole one; NaN where that is 0. */
export const relativeLoss = (units: readonly Unit[]): number =>
  1 - mean(units.map(({ cut }) => cut)) / mean(units.map(({ whole }) => whole));
