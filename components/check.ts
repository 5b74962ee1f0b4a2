/**
 * Check this here: a stated small case of an experiment, computed again on the reader's device and compared with the
 * published rows. The answer is that they agree, or where they differ most, or why nothing could be computed; it always
 * says what was compared, and the numbers are there to be read.
 */
import type { Database, Row } from "./database.js";
import { element } from "./element.js";
import { count, number } from "./format.js";
import { bundledModel, texts } from "./lab/bundled.js";
import { Caller } from "./lab/calls.js";
import type { Case, Measured } from "./lab/laboratory.js";
import type { Passport } from "./passport.js";

/** Differences above this are none of rounding: the engine's devices keep to it. */
const tolerance = 1e-4;

export interface CheckOptions {
  readonly db: Database;
  /** The table that is checked, whose passport names model and parameters. */
  readonly table: string;
  /** What is computed again, as a sentence before it happens. */
  readonly statement: string;
  /** Published numbers of a document: rows of document, what, layer (null where it is of the whole text) and value. */
  readonly sql: string;
  /** How each `what` is measured, by its name; the numbers of tokens come from the passport. */
  readonly measures: Readonly<Record<string, Measure>>;
}

export interface Measure extends Omit<Case, "text" | "tokens"> {
  readonly of: keyof Measured;
}

/** As loaders/lab/texts.ts writes it. */
interface Texts {
  /** Of the whole file that the experiment reads. */
  readonly sha256: string;
  readonly records: readonly { readonly id: string; readonly text: string }[];
}

interface Comparison {
  readonly document: string;
  readonly what: string;
  readonly layer: number | null;
  readonly published: number;
  readonly here: number;
}

const difference = ({ published, here }: Comparison): number => {
  const size = Math.abs(published - here);
  return Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
};

/** What cannot be known without more than the page has. */
class CannotRun extends Error {}

export function check(options: CheckOptions, invalidation?: Promise<unknown>): HTMLElement {
  const answer = element("div", { role: "status" });
  const button = element("button", { type: "button" }, "Check this here");
  let caller: Caller | undefined;
  invalidation?.then(() => caller?.close());
  button.addEventListener("click", async () => {
    button.disabled = true;
    caller = new Caller();
    const say = (text: string) => answer.replaceChildren(element("p", {}, text));
    try {
      answer.replaceChildren(...verdict(await compare(options, caller, say)));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      say(error instanceof CannotRun ? `Cannot run: ${reason}` : `Cannot run here: ${reason}`);
    } finally {
      caller.close();
      button.disabled = false;
    }
  });
  return element("div", { class: "check" }, element("p", {}, options.statement), button, answer);
}

interface Outcome {
  readonly comparisons: readonly Comparison[];
  readonly texts: number;
  readonly device: string;
  readonly seconds: number;
}

async function compare(
  { db, table, sql, measures }: CheckOptions,
  caller: Caller,
  say: (text: string) => void,
): Promise<Outcome> {
  const [rows, { tokens }, { passport }] = await Promise.all([db.query(sql), db.parameters(table), db.table(table)]);
  const { sha256, records }: Texts = await (await fetch(texts)).json();
  const known = records.filter(({ id }) => rows.some(({ document }) => document === id));
  if (typeof tokens !== "number" || known.length === 0 || !names(passport, sha256))
    throw new CannotRun("the published result is of other texts than this site carries.");
  const opened = await caller.call("open", [bundledModel], (done, total) => {
    say(`Loading the model: ${number(Math.round((100 * done) / total))} %`);
  });
  if (!names(passport, opened.weights))
    throw new CannotRun(`the published result is of other weights than ${opened.name}, which this site carries.`);
  const started = performance.now();
  const comparisons: Comparison[] = [];
  for (const [i, { id, text }] of known.entries()) {
    say(`Computing text ${i + 1} of ${known.length} …`);
    const measured = new Map<string, Measured>(); // by how it is measured
    for (const how of Object.values(measures)) {
      if (!measured.has(keyOf(how))) measured.set(keyOf(how), await caller.call("measure", [{ ...how, text, tokens }]));
    }
    comparisons.push(
      ...rows.filter(({ document }) => document === id).map((row) => comparisonOf(row, measures, measured)),
    );
  }
  const seconds = (performance.now() - started) / 1000;
  return { comparisons, texts: known.length, device: opened.device, seconds };
}

/** Whether the passport's key is made of this hash among others. */
const names = (passport: Passport | undefined, hash: string): boolean =>
  JSON.stringify(passport?.keyParts ?? null).includes(`"${hash}"`);

const keyOf = ({ firstQuery, firstScored, withoutFirst }: Measure): string =>
  [firstQuery, firstScored, withoutFirst].join();

function comparisonOf(
  row: Row,
  measures: CheckOptions["measures"],
  measured: ReadonlyMap<string, Measured>,
): Comparison {
  const { document, what, layer, value } = row;
  const name = String(what);
  const values = measured.get(keyOf(measures[name]))?.[measures[name].of];
  const here = typeof values === "object" ? values[Number(layer)] : values;
  return {
    document: String(document),
    what: name,
    layer: typeof layer === "number" ? layer : null,
    published: Number(value),
    here: here ?? Number.NaN,
  };
}

function verdict({ comparisons, texts: n, device, seconds }: Outcome): Node[] {
  const sorted = comparisons.toSorted((a, b) => difference(b) - difference(a));
  const [worst] = sorted;
  const beyond = comparisons.filter((it) => difference(it) > tolerance);
  const place = `${worst.what}${worst.layer === null ? "" : `, layer ${worst.layer}`}, text ${worst.document}`;
  const largest = `the largest difference is ${number(difference(worst), 2)} (${place}), where ${number(tolerance)} is tolerated`;
  const answer = beyond.length
    ? `Differs: ${count(beyond.length, "number")} of ${number(comparisons.length)} do; ${largest}.`
    : `Agrees: ${count(comparisons.length, "number")} of ${count(n, "text")}; ${largest}.`;
  const heading = (name: string) => element("th", { scope: "col" }, name);
  const cell = (text: string, kind?: string) => element("td", { class: kind }, text);
  const table = element(
    "table",
    {},
    element(
      "thead",
      {},
      element("tr", {}, ...["Text", "What", "Layer", "Published", "Here", "Difference"].map(heading)),
    ),
    element(
      "tbody",
      {},
      ...sorted.map((it) =>
        element(
          "tr",
          {},
          cell(it.document),
          cell(it.what),
          cell(it.layer === null ? "–" : String(it.layer), "number"),
          cell(number(it.published, 6), "number"),
          cell(number(it.here, 6), "number"),
          cell(number(difference(it), 2), "number"),
        ),
      ),
    ),
  );
  return [
    element(
      "p",
      { "data-outcome": beyond.length ? "not-replicated" : "replicated" },
      element("strong", { class: "outcome" }, answer),
    ),
    element("p", { class: "note" }, `Computed on this device in ${number(seconds, 2)} s. ${device}`),
    element(
      "details",
      {},
      element("summary", {}, "Both numbers, the farthest apart first"),
      element(
        "div",
        { class: "rows", role: "region", tabindex: 0, "aria-label": "Published and computed here" },
        table,
      ),
    ),
  ];
}
