/** The claims that an experiment judged, with the rule that was written before the result. */
import type { Database } from "./database.js";
import { element } from "./element.js";
import { interval, number } from "./format.js";

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
    return element("div", { class: "verdicts" }, ...rows.map(card));
  } catch (error) {
    return element(
      "p",
      { class: "figure-message", role: "status" },
      error instanceof Error ? error.message : String(error),
    );
  }
}

function card(row: Readonly<Record<string, unknown>>): HTMLElement {
  const outcome = String(row.outcome);
  const value = (name: string) => (typeof row[name] === "number" ? (row[name] as number) : null);
  return element(
    "article",
    { class: "verdict", "data-outcome": outcome.replaceAll(" ", "-"), id: `claim-${row.claim}` },
    element(
      "p",
      { class: "outcome" },
      element("span", { class: "symbol", "aria-hidden": "true" }, SYMBOLS[outcome] ?? "?"),
      outcome,
    ),
    element("h3", {}, String(row.statement)),
    element(
      "p",
      { class: "estimate" },
      `${row.measure}: ${interval(value("estimate"), value("low"), value("high"))}, n = ${number(value("n"))}`,
    ),
    element("p", { class: "rule" }, element("span", {}, "Rule, written before the result: "), String(row.rule)),
    element("p", { class: "paper" }, "Paper: ", element("code", {}, String(row.paper))),
  );
}
