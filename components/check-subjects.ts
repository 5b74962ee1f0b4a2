/** What a check computes again: texts that the site carries, or questions whose tokens are published with their numbers. */
import type { Database, Row } from "./database.js";
import { texts as textsFile } from "./lab/bundled.js";
import type { Caller } from "./lab/calls.js";
import { numberOf, questionOf, type TextCase, type TextMeasures } from "./lab/measured.js";
import type { Passport } from "./passport.js";

export interface Subject {
  readonly name: string;
  /** Computes it, and gives the number that belongs to a published row. */
  compute(caller: Caller): Promise<(row: Row) => number | undefined>;
}

export interface Subjects {
  /** What one of them is called in a sentence. */
  readonly noun: string;
  /** @throws {CannotRun} where the result is not of what this site carries */
  open(published: Published): Promise<readonly Subject[]>;
}

/** The result that is checked. */
export interface Published {
  readonly passport?: Passport;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** What cannot be known without more than the page has. */
export class CannotRun extends Error {}

/** Whether the passport's key is made of this hash among others. */
export const isMadeOf = (passport: Passport | undefined, hash: string): boolean =>
  JSON.stringify(passport?.keyParts ?? null).includes(`"${hash}"`);

export interface Measure extends Omit<TextCase, "text" | "tokens"> {
  readonly of: keyof TextMeasures;
}

/** As loaders/lab/texts.ts writes it. */
interface Texts {
  /** Of the whole file that the experiment reads. */
  readonly sha256: string;
  readonly records: readonly { readonly id: string; readonly text: string }[];
}

/**
 * The first texts of experiments on running text.
 * @param measures how each `what` is measured, by its name; the numbers of tokens come from the passport
 */
export function texts(measures: Readonly<Record<string, Measure>>): Subjects {
  const keyOf = ({ firstQuery, firstScored, withoutFirst }: Measure) => [firstQuery, firstScored, withoutFirst].join();
  return {
    noun: "text",
    async open({ passport, parameters: { tokens } }) {
      const { sha256, records }: Texts = await (await fetch(textsFile)).json();
      if (typeof tokens !== "number" || !isMadeOf(passport, sha256))
        throw new CannotRun("the published result is of other texts than this site carries.");
      return records.map(({ id, text }) => ({
        name: id,
        async compute(caller) {
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

/** The questions of a result that publishes their tokens, in its table case_tokens. */
export function questions(db: Database): Subjects {
  return {
    noun: "question",
    async open() {
      const tokens = await db.query("SELECT * FROM case_tokens ORDER BY prompt, position");
      const names = [...new Set(tokens.map(({ prompt }) => String(prompt)))];
      return names.map((name) => ({
        name,
        async compute(caller) {
          const measured = await caller.call("measureQuestion", [
            questionOf(tokens.filter(({ prompt }) => prompt === name)),
          ]);
          return (row) => numberOf(measured, row);
        },
      }));
    },
  };
}
