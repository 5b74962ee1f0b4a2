/** What experiments measure, measured on a model as they do it. */

import { UserError } from "../../engine/errors.js";
import { meanDefined } from "../../engine/metrics/patterns.js";
import type { Model } from "../../engine/model.js";
import type { Tokenizer } from "../../engine/tokenizer.js";
import type { Row } from "../database.js";
import { plain, promptOf } from "./settings.js";

export interface TextCase {
  readonly text: string;
  /** Its beginning in so many tokens, start token included, is what is measured. */
  readonly tokens: number;
  readonly withoutFirst: boolean;
  /** Means of entropy begin with this query, those of the loss with this token of the text. */
  readonly firstQuery: number;
  readonly firstScored: number;
}

export interface TextMeasures {
  readonly entropy: readonly number[]; // [layers], nats
  readonly loss: number; // nats per token
}

/** @throws {UserError} where the text is too short */
export async function measureText(
  model: Model,
  tokenizer: Tokenizer,
  { text, tokens, withoutFirst, firstQuery, firstScored }: TextCase,
): Promise<TextMeasures> {
  const ids = tokenizer.prompt(text).slice(0, tokens);
  if (ids.length < tokens) throw new UserError(`A text has ${ids.length} tokens, and ${tokens} were measured.`);
  const { layers, heads } = model.architecture;
  const prompt = promptOf(ids, { ...plain, withoutFirst }, model.architecture);
  const { entropy, logProbability } = await model.forward(prompt, { rows: true, logits: "loss" });
  const rows = Array.from({ length: layers * heads }, (_, row) =>
    meanDefined(entropy?.data.subarray(row * tokens + firstQuery, (row + 1) * tokens) ?? []),
  );
  return {
    entropy: Array.from({ length: layers }, (_, layer) => meanDefined(rows.slice(layer * heads, (layer + 1) * heads))),
    loss: -meanDefined(logProbability?.subarray(firstScored - 1) ?? []),
  };
}

/** A prompt that ends with a question and its answer; loaders/analysis/cases.ts writes it. */
export interface QuestionCase {
  readonly ids: readonly number[]; // [tokens]
  /** First token of the answer, which goes on to the end. */
  readonly answer: number;
  /** Positions of the tokens of each stretch. */
  readonly stretches: readonly (readonly number[])[];
}

export interface QuestionMeasures {
  readonly logProbability: number; // of the answer, nats
  /** Whether each token of the answer was the most likely one. */
  readonly answered: boolean;
  /** Of the position that predicts the answer, mean over the heads of a layer. */
  readonly attention: readonly (readonly number[])[]; // [stretches][layers]
}

/** @param rows of one prompt of a table case_tokens, in order */
export function questionOf(rows: readonly Row[]): QuestionCase {
  const last = Math.max(...rows.map(({ stretch }) => Number(stretch)));
  return {
    ids: rows.map(({ id }) => Number(id)),
    answer: rows.findIndex(({ answer }) => answer === true),
    stretches: Array.from({ length: last }, (_, i) =>
      rows.flatMap(({ stretch, position }) => (stretch === i + 1 ? Number(position) : [])),
    ),
  };
}

/** What belongs to a row of a table cases. */
export function numberOf(measured: QuestionMeasures, { what, stretch, layer }: Row): number | undefined {
  if (what === "log-probability") return measured.logProbability;
  if (what === "answered") return Number(measured.answered);
  return measured.attention[Number(stretch) - 1]?.[Number(layer)];
}

export async function measureQuestion(
  model: Model,
  { ids, answer, stretches }: QuestionCase,
): Promise<QuestionMeasures> {
  const tokens = ids.length;
  const keySegments = stretches.map((positions) => {
    const weights = new Float32Array(tokens); // [tokens]
    for (const position of positions) weights[position] = 1;
    return weights;
  });
  const { mass, logProbability, correct } = await model.forward(
    { ids: Int32Array.from(ids) },
    { keySegments, logits: "loss" },
  );
  const [layers, heads] = mass?.dims ?? [0, 0]; // [layers, heads, stretches, tokens]
  const at = (layer: number, head: number, stretch: number) =>
    mass?.data[((layer * heads + head) * stretches.length + stretch) * tokens + answer - 1] ?? Number.NaN;
  const sum = (values: Float32Array | undefined) => values?.reduce((a, b) => a + b, 0) ?? Number.NaN;
  return {
    logProbability: sum(logProbability?.subarray(answer - 1)),
    answered: correct?.subarray(answer - 1).every((right) => right === 1) ?? false,
    attention: stretches.map((_, stretch) =>
      Array.from({ length: layers }, (_, layer) =>
        meanDefined(Array.from({ length: heads }, (_, head) => at(layer, head, stretch))),
      ),
    ),
  };
}
