/** What came of a paper's claims: one verdict, a chart of all estimates, and a card for each. */
import type { Unit } from "./chart.js";
import type { Database, Row } from "./database.js";
import { element } from "./element.js";
import type { FigureOptions } from "./figure.js";
import { cell, count, interval } from "./format.js";
import { outcomeOf, verdictCards } from "./verdicts.js";

export interface PaperOptions {
  /** Its name in the catalogue. */
  readonly paper: string;
  /** Whether its definitions were read where the authors wrote them. */
  readonly read: boolean;
  /** Verdicts of the experiments that judge its claims. */
  readonly tables: readonly string[];
}

const claimsOf = ({ tables }: PaperOptions) =>
  tables.map((table) => `SELECT * FROM ${table} WHERE paper = $paper`).join("\nUNION ALL\n");

/** "Mixed: 4 claims, 3 replicated, 1 not replicated.", and what each came to; its card, further down, has the rule. */
export async function paperVerdict(db: Database, options: PaperOptions): Promise<HTMLElement> {
  const { paper, read } = options;
  const [row] = await db.query("SELECT verdict, scope FROM papers WHERE slug = $paper", { paper });
  const claims = await db.query(claimsOf(options), { paper });
  const outcomes = [...new Set(claims.map(({ outcome }) => String(outcome)))]
    .map((outcome) => ({ outcome, n: claims.filter((of) => of.outcome === outcome).length }))
    .sort((a, b) => b.n - a.n);
  const verdict = String(row?.verdict ?? "not measured");
  const summary = element(
    "p",
    {},
    element("strong", { "data-outcome": verdict.replaceAll(" ", "-"), class: "outcome" }, upperFirst(verdict)),
    row?.scope == null ? "" : `, ${row.scope}`,
    read ? "" : ", definition recalled",
    `: ${count(claims.length, "claim")}, ${outcomes.map(({ outcome, n }) => `${n} ${outcome}`).join(", ")}.`,
  );
  return element("div", { class: "paper-verdict" }, summary, element("ul", {}, ...claims.map(claimLine)));
}

function claimLine(row: Row): HTMLElement {
  const { claim, statement, outcome, n } = row;
  const [estimate, low, high] = [row.estimate, row.low, row.high].map((of) => (typeof of === "number" ? of : null));
  return element(
    "li",
    { "data-outcome": String(outcome).replaceAll(" ", "-") },
    element("span", { class: "outcome" }, ...outcomeOf(row)),
    element("a", { href: `#claim-${claim}` }, String(statement)),
    element("span", { class: "estimate" }, `${interval(estimate, low, high)}, n = ${cell(n)}`),
  );
}

const upperFirst = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** Estimates with their intervals, each on an axis of its own, because each has a measure of its own. */
export function claimsChart(
  options: PaperOptions,
): Pick<FigureOptions, "table" | "claim" | "sql" | "params" | "spec" | "note"> {
  return {
    table: options.tables,
    claim: (rows) => `${count(rows.length, "claim")}, each with its estimate and 95 % interval.`,
    sql: `SELECT replace(claim, '-', ' ') AS claim, estimate, low, high, n, outcome, measure\nFROM (${claimsOf(options)})\nWHERE estimate IS NOT NULL`,
    params: { paper: options.paper },
    note: "Every line has an axis of its own. What it measures stands on the claim's card and in the tooltip.",
    spec: ({ width, rows }) => claimsSpec(width, rows),
  };
}

function claimsSpec(width: number, rows: readonly Row[]): Unit {
  const tooltip = ["claim", "measure", "estimate", "low", "high", "n", "outcome"].map((field) => ({ field }));
  const x = {
    type: "quantitative",
    title: null,
    axis: { tickCount: 5, grid: true },
    scale: { zero: false, padding: 12 },
  };
  return {
    facet: {
      row: {
        field: "claim",
        sort: rows.map(({ claim }) => String(claim)),
        title: null,
        header: { labelOrient: "top", labelAnchor: "start", labelAngle: 0, labelLimit: width - 20 },
      },
    },
    spacing: 8,
    resolve: { scale: { x: "independent" } },
    spec: {
      width: width - 48, // the last label of an axis reaches beyond it
      height: 26,
      layer: [
        {
          mark: { type: "rule", strokeWidth: 2, opacity: 0.6 },
          encoding: { x: { ...x, field: "low" }, x2: { field: "high" } },
        },
        { mark: { type: "point", size: 70 }, encoding: { x: { ...x, field: "estimate" }, tooltip } },
      ],
    },
  };
}

export async function paperCards(db: Database, options: PaperOptions): Promise<HTMLElement> {
  const rows = await db.query(claimsOf(options), { paper: options.paper });
  return element("div", { class: "verdicts" }, ...verdictCards(rows));
}
