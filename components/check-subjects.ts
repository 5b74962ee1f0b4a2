/** What a check computes again: texts that the site carries, or questions whose tokens are published with their numbers. */
import { CannotRun, isMadeOf, type Session } from "./checks/session.js";
import type { Database, Row } from "./database.js";
import { texts as textsFile } from "./lab/bundled.js";
import { numberOf, questionOf, type TextCase, type TextMeasures } from "./lab/measured.js";
import type { Passport } from "./passport.js";

export interface Subject {
  readonly name: string;
  /** How many prompts, or inputs, its numbers are made of: 1 where it is not said. */
  readonly size?: number;
  /**
   * Computes it, and gives the number that belongs to a published row.
   * @param advance said, and waited for, before each of its prompts
   */
  compute(session: Session, advance: () => Promise<void>): Promise<(row: Row) => number | undefined>;
}

export interface Subjects {
  /** What one of them, or of what they are made of, is called in a sentence. */
  readonly noun: string;
  /** @throws {CannotRun} where the result is not of what this site carries */
  open(published: Published): Promise<readonly Subject[]>;
}

/** The result that is checked. */
export interface Published {
  readonly passport?: Passport;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What is to be computed again. */
  readonly rows: readonly Row[];
}

export interface Measure extends Omit<TextCase, "text" | "tokens"> {
  readonly of: keyof TextMeasures;
}

/** As loaders/lab/texts.ts writes it. */
interface Texts {
  /** Of the file that the experiment reads. */
  readonly sha256: string;
  readonly records: readonly { readonly id: string; readonly text: string }[];
}

/** The texts of the experiments on running text, in their order. @throws {CannotRun} where the result is of others */
export async function publishedTexts(passport: Passport | undefined): Promise<Texts["records"]> {
  const { sha256, records }: Texts = await (await fetch(textsFile)).json();
  if (!isMadeOf(passport, sha256))
    throw new CannotRun("the published result is of other texts than this site carries.");
  return records;
}

/** Few enough for a minute on a slow machine. */
const fewTexts = 3;

/**
 * The first texts of experiments on running text.
 * @param measures how each `what` is measured, by its name; the numbers of tokens come from the passport
 */
export function texts(measures: Readonly<Record<string, Measure>>): Subjects {
  const keyOf = ({ firstQuery, firstScored, withoutFirst }: Measure) => [firstQuery, firstScored, withoutFirst].join();
  return {
    noun: "text",
    async open({ passport, parameters }) {
      const tokens = parameter(parameters, "tokens");
      const records = await publishedTexts(passport);
      return records.slice(0, fewTexts).map(({ id, text }) => ({
        name: id,
        async compute(session, advance) {
          await advance();
          const { caller } = await session.model();
          const measured = new Map<string, TextMeasures>(); // by how it is measured
          for (const how of Object.values(measures)) {
            if (measured.has(keyOf(how))) continue;
            measured.set(keyOf(how), await caller.call("measureText", [{ ...how, text, tokens }]));
          }
          return ({ what, layer }) => {
            const how = measures[String(what)];
            const values = measured.get(keyOf(how))?.[how.of];
            return typeof values === "object" ? values[Number(layer)] : values;
          };
        },
      }));
    },
  };
}

/** A number among the parameters of the published run. @throws {CannotRun} where it is none */
export function parameter(parameters: Published["parameters"], name: string): number {
  const value = parameters[name];
  if (typeof value !== "number") throw new CannotRun(`the published result does not say its parameter ${name}.`);
  return value;
}

/** The questions of a result that publishes their tokens, in its table case_tokens. */
export function questions(db: Database): Subjects {
  return {
    noun: "question",
    async open() {
      const tokens = await db.query("SELECT * FROM case_tokens ORDER BY prompt, position");
      const names = [...new Set(tokens.map(({ prompt }) => String(prompt)))];
      return names.map((name) => ({
        name,
        async compute(session, advance) {
          await advance();
          const { caller } = await session.model();
          const measured = await caller.call("measureQuestion", [
            questionOf(tokens.filter(({ prompt }) => prompt === name)),
          ]);
          return (row) => numberOf(measured, row);
        },
      }));
    },
  };
}
