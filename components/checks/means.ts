/** Checks of numbers that are means over an experiment's prompts: each prompt is run through the model again. */
import { mean } from "../../engine/interval.js";
import { type Published, parameter, publishedTexts, type Subject, type Subjects } from "../check-subjects.js";
import type { Row } from "../database.js";
import type { CheckedModel, Session } from "./session.js";

/** What rows of means call their subject. */
const subject = "mean";

export interface Prompts {
  readonly count: number;
  /** Tokens of all of them, in the experiment's order. */
  ids(model: CheckedModel): Promise<readonly Int32Array[]>;
}

/** The numbers of one prompt, by the row that they belong to. */
export type Measurement = (model: CheckedModel, ids: Int32Array, published: Published) => Promise<(row: Row) => number>;

/**
 * @param noun of one prompt
 * @param prompts those of the published run
 * @param measure as the experiment does it
 */
export function means(
  noun: string,
  prompts: (published: Published) => Promise<Prompts>,
  measure: Measurement,
): Subjects {
  return {
    noun,
    async open(published): Promise<readonly Subject[]> {
      const { count, ids } = await prompts(published);
      const compute = async (session: Session, advance: () => Promise<void>) => {
        const model = await session.model();
        const measured: ((row: Row) => number)[] = [];
        for (const prompt of await ids(model)) {
          await advance();
          measured.push(await measure(model, prompt, published));
        }
        return (row: Row) => mean(measured.map((of) => of(row)));
      };
      return [{ name: subject, size: count, compute }];
    },
  };
}

/** The beginnings of texts. @param of parameters: how many texts are passed over, how many are taken, and their tokens */
export async function beginnings(
  { passport, parameters }: Published,
  of: { readonly after?: string; readonly texts: string; readonly tokens: readonly string[] },
): Promise<Prompts> {
  const records = await publishedTexts(passport);
  const first = of.after === undefined ? 0 : parameter(parameters, of.after);
  const tokens = of.tokens.reduce((sum, name) => sum + parameter(parameters, name), 0);
  const taken = records.slice(first, first + parameter(parameters, of.texts));
  return {
    count: taken.length,
    ids: async (model) => {
      const all: Int32Array[] = [];
      for (const { text } of taken) all.push((await model.tokens(text)).slice(0, tokens));
      return all;
    },
  };
}
