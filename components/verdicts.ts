/** The claims that an experiment judged, with the rule that decided, and whether it was revised after a trial. */
import { reveal } from "./anchor.js";
import type { Database, Row } from "./database.js";
import { element } from "./element.js";
import { cell, count, interval, together } from "./format.js";
import { warning } from "./passport.js";

const SYMBOLS: Readonly<Record<string, string>> = {
  replicated: "✓",
  "not replicated": "✗",
  mixed: "≈",
  "not testable at this scale": "○",
};

export interface VerdictsOptions {
  readonly table?: string;
}

/** A list of claims from a table with claim, paper, statement, measure, rule, outcome, estimate, low, high, n. */
export async function verdicts(db: Database, { table = "verdicts" }: VerdictsOptions = {}): Promise<HTMLElement> {
  try {
    const rows = await db.query(`SELECT * FROM "${table}"`);
    const { passport } = await db.table(table);
    const alarm = passport?.stale && element("p", { class: "banner", role: "note" }, warning(passport));
    return element("div", { class: "verdicts" }, alarm, ...verdictCards(rows));
  } catch (error) {
    return element(
      "p",
      { class: "figure-message", role: "status" },
      error instanceof Error ? error.message : String(error),
    );
  }
}

/** The cards of rows of such a table. */
export function verdictCards(rows: readonly Row[]): HTMLElement[] {
  const cards = rows.map(card);
  cards.forEach(reveal);
  return cards;
}

const slug = ({ outcome }: Row) => String(outcome).replaceAll(" ", "-");
const anchor = ({ claim }: Row) => `claim-${claim}`;

export function outcomeOf({ outcome }: Row): Node[] {
  const symbol = element("span", { class: "symbol", "aria-hidden": "true" }, SYMBOLS[String(outcome)] ?? "?");
  return [symbol, document.createTextNode(String(outcome))];
}

function estimateOf(row: Row): string {
  const [estimate, low, high] = [row.estimate, row.low, row.high].map((value) =>
    typeof value === "number" ? value : null,
  );
  return interval(estimate, low, high);
}

/** The page of a paper; components lie two folders below the site's root. */
function paperOf({ paper }: Row): Node[] {
  if (paper === "none") return [document.createTextNode("No paper: a question of this project.")];
  const href = new URL(`../../papers/${paper}`, import.meta.url).href;
  return [document.createTextNode("Paper: "), element("a", { href }, element("code", {}, String(paper)))];
}

function card(row: Row): HTMLElement {
  const rule = (name: string, text: unknown) =>
    element("p", { class: "rule" }, element("span", {}, `${name}: `), together(String(text)));
  return element(
    "article",
    { class: "verdict", "data-outcome": slug(row), id: anchor(row) },
    element("p", { class: "outcome" }, ...outcomeOf(row)),
    element("h3", {}, String(row.statement)),
    element("p", { class: "estimate" }, together(`${row.measure}: ${estimateOf(row)}, n = ${cell(row.n)}`)),
    rule("Rule", row.rule),
    ...(row.revised ? [rule("Revised", row.revised)] : []),
    element("p", { class: "paper" }, ...paperOf(row)),
  );
}

export interface VerdictSource {
  readonly table: string;
  /** Of the experiment, and the page that shows it. */
  readonly name: string;
  readonly href: string;
}

/** The outcomes of several experiments at a glance: how many there are of each, and a list per experiment. */
export async function verdictLists(db: Database, sources: readonly VerdictSource[]): Promise<HTMLElement> {
  const lists = await Promise.all(
    sources.map(async (source) => {
      try {
        return { source, rows: await db.query(`SELECT * FROM "${source.table}"`) };
      } catch (error) {
        return { source, rows: [], problem: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
  const outcomes = lists.flatMap(({ rows }) => rows.map(({ outcome }) => String(outcome)));
  const tally = Object.keys(SYMBOLS).map(
    (name) => [name, outcomes.filter((outcome) => outcome === name).length] as const,
  );
  const counted = tally.filter(([, n]) => n > 0).map(([name, n]) => `${n} ${name}`);
  return element(
    "div",
    {},
    element("p", { class: "tally" }, `${count(outcomes.length, "claim")}: ${counted.join(", ")}.`),
    element("div", { class: "verdict-lists" }, ...lists.map(list)),
  );
}

function list({
  source,
  rows,
  problem,
}: {
  source: VerdictSource;
  rows: readonly Row[];
  problem?: string;
}): HTMLElement {
  const { name, href } = source;
  const entries = rows.map((row) =>
    element(
      "li",
      { "data-outcome": slug(row) },
      element("span", { class: "outcome" }, ...outcomeOf(row)),
      element("a", { href: `${href}#${anchor(row)}` }, String(row.statement)),
    ),
  );
  return element(
    "section",
    {},
    element("h3", {}, element("a", { href }, name)),
    problem ? element("p", { class: "figure-message" }, problem) : element("ul", {}, ...entries),
  );
}
