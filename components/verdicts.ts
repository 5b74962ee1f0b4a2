/** The claims that an experiment judged, with the rule that was written before the result. */
import { reveal } from "./anchor.js";
import type { Database, Row } from "./database.js";
import { element } from "./element.js";
import { cell, interval } from "./format.js";

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
    const cards = rows.map(card);
    cards.forEach(reveal);
    return element("div", { class: "verdicts" }, ...cards);
  } catch (error) {
    return element(
      "p",
      { class: "figure-message", role: "status" },
      error instanceof Error ? error.message : String(error),
    );
  }
}

const slug = ({ outcome }: Row) => String(outcome).replaceAll(" ", "-");
const anchor = ({ claim }: Row) => `claim-${claim}`;

function outcomeOf({ outcome }: Row): Node[] {
  const symbol = element("span", { class: "symbol", "aria-hidden": "true" }, SYMBOLS[String(outcome)] ?? "?");
  return [symbol, document.createTextNode(String(outcome))];
}

function estimateOf(row: Row): string {
  const [estimate, low, high] = [row.estimate, row.low, row.high].map((value) =>
    typeof value === "number" ? value : null,
  );
  return interval(estimate, low, high);
}

function card(row: Row): HTMLElement {
  return element(
    "article",
    { class: "verdict", "data-outcome": slug(row), id: anchor(row) },
    element("p", { class: "outcome" }, ...outcomeOf(row)),
    element("h3", {}, String(row.statement)),
    element("p", { class: "estimate" }, `${row.measure}: ${estimateOf(row)}, n = ${cell(row.n)}`),
    element("p", { class: "rule" }, element("span", {}, "Rule, written before the result: "), String(row.rule)),
    element("p", { class: "paper" }, "Paper: ", element("code", {}, String(row.paper))),
  );
}

export interface VerdictSource {
  readonly table: string;
  /** Of the experiment, and the page that shows it. */
  readonly name: string;
  readonly href: string;
}

/** The claims of several experiments in one table: outcome, statement, and the page with the evidence. */
export async function verdictTable(db: Database, sources: readonly VerdictSource[]): Promise<HTMLElement> {
  const bodies = await Promise.all(sources.map((source) => body(db, source)));
  const head = ["Outcome", "Claim", "Estimate [95 %]"].map((name) => element("th", { scope: "col" }, name));
  return element(
    "div",
    { class: "verdict-table", tabindex: 0, role: "region", "aria-label": "Claims and outcomes" },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), ...bodies),
  );
}

async function body(db: Database, { table, name, href }: VerdictSource): Promise<HTMLElement> {
  const title = element("th", { colspan: 3, scope: "rowgroup" }, element("a", { href }, name));
  try {
    const rows = await db.query(`SELECT * FROM "${table}"`);
    return element("tbody", {}, element("tr", {}, title), ...rows.map((row) => line(row, href)));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return element("tbody", {}, element("tr", {}, title), element("tr", {}, element("td", { colspan: 3 }, text)));
  }
}

function line(row: Row, href: string): HTMLElement {
  return element(
    "tr",
    { "data-outcome": slug(row) },
    element("td", { class: "outcome" }, ...outcomeOf(row)),
    element("td", {}, element("a", { href: `${href}#${anchor(row)}` }, String(row.statement))),
    element("td", { class: "number" }, estimateOf(row)),
  );
}
