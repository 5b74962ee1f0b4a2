/**
 * Check this here: a stated small case of an experiment, computed again on the reader's device and compared with the
 * published rows. The answer is that they agree, or where they differ most, or why nothing could be computed; it always
 * says what was compared, and the numbers are there to be read.
 */
import type { Subjects } from "./check-subjects.js";
import { CannotRun, Session } from "./checks/session.js";
import type { Database } from "./database.js";
import { element } from "./element.js";
import { count, number } from "./format.js";

/** Differences above this, of a number or of 1 where it is smaller, are none of rounding: the engine's devices keep to it. */
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

const tolerated = ({ published }: Comparison): number => tolerance * Math.max(1, Math.abs(published));

/** More than 1 where a difference is none of rounding. */
const excess = (it: Comparison): number => difference(it) / tolerated(it);

export function check(options: CheckOptions, invalidation?: Promise<unknown>): HTMLElement {
  const answer = element("div", { role: "status" });
  const button = element("button", { type: "button" }, "Check this here");
  let session: Session | undefined;
  invalidation?.then(() => session?.close());
  button.addEventListener("click", async () => {
    button.disabled = true;
    const say = (text: string) => answer.replaceChildren(element("p", {}, text));
    try {
      const { passport } = await options.db.table(options.table);
      session = new Session(passport, say);
      answer.replaceChildren(...verdict(await compare(options, session, say)));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      say(error instanceof CannotRun ? `Cannot run: ${reason}` : `Cannot run here: ${reason}`);
    } finally {
      session?.close();
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
  session: Session,
  say: (text: string) => void,
): Promise<Outcome> {
  const [rows, parameters, { passport }] = await Promise.all([db.query(sql), db.parameters(table), db.table(table)]);
  const all = await of.open({ passport, parameters, rows });
  const known = all.filter(({ name }) => rows.some(({ subject }) => subject === name));
  if (known.length === 0)
    throw new CannotRun(`there are no published numbers of any ${of.noun} that this site carries.`);
  const size = known.reduce((sum, { size = 1 }) => sum + size, 0);
  let done = 0;
  const advance = async () => {
    say(`Computing ${of.noun} ${++done} of ${size} …`);
    await new Promise((resolve) => setTimeout(resolve)); // the page stays awake where it computes itself
  };
  const started = performance.now();
  const comparisons: Comparison[] = [];
  for (const { name, compute } of known) {
    const numberOf = await compute(session, advance);
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
  return { comparisons, subjects: count(size, of.noun), device: session.device, seconds };
}

function verdict({ comparisons, subjects, device, seconds }: Outcome): Node[] {
  const sorted = comparisons.toSorted((a, b) => excess(b) - excess(a));
  const [worst] = sorted;
  const beyond = comparisons.filter((it) => excess(it) > 1);
  const place = [worst.what, worst.place, worst.subject].filter((part) => part !== null).join("; ");
  const largest = `the largest difference is ${number(difference(worst), 2)} (${place}), where ${number(tolerated(worst), 2)} is tolerated`;
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
