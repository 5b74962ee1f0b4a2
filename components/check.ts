/**
 * Check this here: a stated small case of an experiment, computed again on the reader's device and compared with the
 * published rows. The answer is that they agree, or where they differ most, or why nothing could be computed; it always
 * says what was compared, and the numbers are there to be read.
 */
import { CannotRun, isMadeOf, type Subjects } from "./check-subjects.js";
import type { Database } from "./database.js";
import { element } from "./element.js";
import { count, number } from "./format.js";
import { bundledModel } from "./lab/bundled.js";
import { Caller } from "./lab/calls.js";

/** Differences above this are none of rounding: the engine's devices keep to it. */
const tolerance = 1e-4;

export interface CheckOptions {
  readonly db: Database;
  /** The table that is checked, whose passport names model and parameters. */
  readonly table: string;
  /** What is computed again, as a sentence before it happens. */
  readonly statement: string;
  /** Published numbers: rows of subject, what, place (in words, null for the whole), value, and what `of` needs. */
  readonly sql: string;
  readonly of: Subjects;
}

interface Comparison {
  readonly subject: string;
  readonly what: string;
  readonly place: string | null;
  readonly published: number;
  readonly here: number;
}

const difference = ({ published, here }: Comparison): number => {
  const size = Math.abs(published - here);
  return Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
};

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
  /** What was computed, with its number. */
  readonly subjects: string;
  readonly device: string;
  readonly seconds: number;
}

async function compare(
  { db, table, sql, of }: CheckOptions,
  caller: Caller,
  say: (text: string) => void,
): Promise<Outcome> {
  const [rows, parameters, { passport }] = await Promise.all([db.query(sql), db.parameters(table), db.table(table)]);
  const all = await of.open({ passport, parameters });
  const known = all.filter(({ name }) => rows.some(({ subject }) => subject === name));
  if (known.length === 0)
    throw new CannotRun(`there are no published numbers of any ${of.noun} that this site carries.`);
  const opened = await caller.call("open", [bundledModel], (done, total) => {
    say(`Loading the model: ${number(Math.round((100 * done) / total))} %`);
  });
  if (!isMadeOf(passport, opened.weights))
    throw new CannotRun(`the published result is of other weights than ${opened.name}, which this site carries.`);
  const started = performance.now();
  const comparisons: Comparison[] = [];
  for (const [i, { name, compute }] of known.entries()) {
    say(`Computing ${of.noun} ${i + 1} of ${known.length} …`);
    const numberOf = await compute(caller);
    for (const row of rows.filter(({ subject }) => subject === name)) {
      const { what, place, value } = row;
      comparisons.push({
        subject: name,
        what: String(what),
        place: typeof place === "string" ? place : null,
        published: Number(value),
        here: numberOf(row) ?? Number.NaN,
      });
    }
  }
  const seconds = (performance.now() - started) / 1000;
  return { comparisons, subjects: count(known.length, of.noun), device: opened.device, seconds };
}

function verdict({ comparisons, subjects, device, seconds }: Outcome): Node[] {
  const sorted = comparisons.toSorted((a, b) => difference(b) - difference(a));
  const [worst] = sorted;
  const beyond = comparisons.filter((it) => difference(it) > tolerance);
  const place = [worst.what, worst.place, worst.subject].filter((part) => part !== null).join("; ");
  const largest = `the largest difference is ${number(difference(worst), 2)} (${place}), where ${number(tolerance)} is tolerated`;
  const answer = beyond.length
    ? `Differs: ${count(beyond.length, "number")} of ${number(comparisons.length)} do; ${largest}.`
    : `Agrees: ${count(comparisons.length, "number")} of ${subjects}; ${largest}.`;
  const heading = (name: string) => element("th", { scope: "col" }, name);
  const cell = (text: string, kind?: string) => element("td", { class: kind }, text);
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...["Of", "What", "Where", "Published", "Here", "Difference"].map(heading))),
    element(
      "tbody",
      {},
      ...sorted.map((it) =>
        element(
          "tr",
          {},
          cell(it.subject),
          cell(it.what),
          cell(it.place ?? "–"),
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
