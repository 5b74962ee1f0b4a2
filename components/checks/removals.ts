/** What it costs to remove heads: their outputs times 0. */
import type { Forward } from "../../engine/forward.js";
import { mean } from "../../engine/interval.js";
import type { Published, Subjects } from "../check-subjects.js";
import type { Row } from "../database.js";
import { beginnings, means } from "./means.js";
import type { CheckedModel } from "./session.js";

/** @param removed layer · heads + head */
function without({ shape: { layers, heads }, forward }: CheckedModel, ids: Int32Array, removed: readonly number[]) {
  const data = new Float32Array(layers * heads).fill(1); // [layers, heads]
  for (const head of removed) data[head] = 0;
  return forward({ ids, headGate: { data, dims: [layers, heads] } }, { logits: "loss" });
}

/** Heads of a row, as numbers with commas between them. */
const headsOf = ({ heads }: Row): number[] => String(heads).split(",").map(Number);

/** @param after the parameter that says how many texts are passed over @param texts the one that says how many are taken */
function overTexts(texts: string, numberOf: (removed: Forward, whole: Forward) => number): Subjects {
  const prompts = (of: Published) => beginnings(of, { texts, tokens: ["tokens"] });
  return means("text", prompts, async (model, ids, { rows }) => {
    const whole = await without(model, ids, []);
    const found = new Map<string, number>();
    for (const row of rows) found.set(String(row.heads), numberOf(await without(model, ids, headsOf(row)), whole));
    return ({ heads }) => found.get(String(heads)) ?? Number.NaN;
  });
}

const loss = ({ logProbability }: Forward): number => -mean(logProbability ?? []);

/** Loss without the heads ÷ loss with all, less 1. */
export const lossRises = (): Subjects => overTexts("ranking", (removed, whole) => loss(removed) / loss(whole) - 1);

/** Share of next tokens that are the most likely ones, without the heads. */
export const accuracies = (): Subjects => overTexts("documents", ({ correct }) => mean(correct ?? []));
