/** The catalogue of papers as a reader goes through it: filters, a chart of what is measured, and a table to sort. */
import type { Spec } from "./chart.js";
import type { Database, Row } from "./database.js";
import { element, uniqueId } from "./element.js";
import { count, interval } from "./format.js";
import { palettes } from "./palette.js";
import { outcomeOf } from "./verdicts.js";

export const ALL = "all";

/** Words that recur among the metrics. */
const METRICS = [
  "accuracy",
  "attention mass",
  "capacity",
  "correlation",
  "entropy",
  "KL",
  "loss",
  "memory",
  "perplexity",
  "rank",
  "recall",
  "throughput",
];

/** What a reader asks for; `all` and an empty search ask for everything. */
export interface Asked {
  readonly [name: string]: string;
  readonly search: string;
  readonly family: string;
  readonly year: string;
  readonly status: string;
  readonly verdict: string;
  readonly metric: string;
}

/** The condition of a query over the table `papers`, with a parameter for each field of `Asked`. */
export const condition = `($search = '' OR contains(lower(concat_ws(' ', title, claim, metrics, slug)), lower($search)))
  AND $family IN ('${ALL}', family) AND $year IN ('${ALL}', year::VARCHAR)
  AND $status IN ('${ALL}', status) AND $verdict IN ('${ALL}', verdict)
  AND ($metric = '${ALL}' OR contains(lower(metrics), lower($metric)))`;

/** What the filters ask for at first. */
export const everything: Asked = { search: "", family: ALL, year: ALL, status: ALL, verdict: ALL, metric: ALL };

export interface Filters extends HTMLElement {
  value: Asked;
}

/** A search field and a menu per field, with the values that there are among the rows. */
export function paperFilters(rows: readonly Row[]): Filters {
  const distinct = (field: string) =>
    [...new Set(rows.flatMap((row) => (row[field] == null ? [] : String(row[field]))))].sort();
  const search = element("input", { id: uniqueId("search"), type: "search", autocomplete: "off", spellcheck: "false" });
  const menus = {
    family: menu(distinct("family")),
    year: menu(distinct("year").reverse()),
    status: menu(distinct("status")),
    verdict: menu(distinct("verdict")),
    metric: menu(METRICS),
  };
  const labelled = (name: string, input: HTMLInputElement | HTMLSelectElement) =>
    element("div", { class: "menu" }, element("label", { for: input.id }, name), input);
  const node = element(
    "form",
    { class: "filters", role: "search", "aria-label": "Papers" },
    labelled("Search in titles, claims and metrics", search),
    ...Object.entries(menus).map(([name, select]) =>
      labelled(
        name.replace(/^./, (first) => first.toUpperCase()),
        select,
      ),
    ),
  );
  node.addEventListener("submit", (event) => event.preventDefault());
  const { family, year, status, verdict, metric } = menus;
  return Object.defineProperty(node, "value", {
    get: (): Asked => ({
      search: search.value.trim(),
      family: family.value,
      year: year.value,
      status: status.value,
      verdict: verdict.value,
      metric: metric.value,
    }),
  }) as HTMLElement as Filters;
}

function menu(values: readonly string[]): HTMLSelectElement {
  const options = [ALL, ...values].map((value) => element("option", { value }, value.replaceAll("-", " ")));
  return element("select", { id: uniqueId("filter") }, ...options);
}

/** Outcomes, best known first, and the index of each into the palette. */
const STATES: Readonly<Record<string, number>> = {
  replicated: 2,
  mixed: 4,
  "not replicated": 1,
  "not testable at this scale": 3,
  planned: 5,
};

/** Papers by family, one bar each, of what came of them. Rows: family, state, papers. */
export const stateBars: Spec = ({ mode, rows, width }) => {
  const states = Object.keys(STATES).filter((state) => rows.some((row) => row.state === state));
  const range = states.map((state) => palettes[mode].categories[STATES[state]]);
  const legend = width < 500 ? { orient: "top", columns: 2, title: null } : { orient: "top", title: null };
  return {
    transform: [{ calculate: `indexof(${JSON.stringify(states)}, datum.state)`, as: "rank" }],
    mark: { type: "bar", height: { band: 0.72 } },
    encoding: {
      y: { field: "family", type: "nominal", title: null, sort: { field: "papers", op: "sum", order: "descending" } },
      x: { field: "papers", type: "quantitative", title: "Papers", axis: { format: "d", tickMinStep: 1 } },
      color: { field: "state", type: "nominal", scale: { domain: states, range }, legend },
      order: { field: "rank", type: "quantitative" },
      tooltip: ["family", "state", "papers"].map((field) => ({ field })),
    },
  };
};

/** "41 of 119 papers are measured: 12 replicated (4 of these in part), 20 mixed, 9 not replicated." Table: papers. */
export async function paperTally(db: Database): Promise<HTMLElement> {
  const rows = await db.query(
    "SELECT coalesce(verdict, status) AS state, count(*) AS papers, count(scope) AS parts FROM papers GROUP BY state",
  );
  const of = (field: string, states: readonly Row[]) => states.reduce((sum, row) => sum + Number(row[field]), 0);
  const measured = Object.keys(STATES)
    .filter((state) => state !== "planned")
    .flatMap((state) => rows.filter((row) => row.state === state));
  const outcomes = measured.map(({ state, papers, parts }) => {
    return `${papers} ${state}${Number(parts) > 0 ? ` (${parts} of these in part)` : ""}`;
  });
  const all = count(of("papers", rows), "paper");
  return element("p", { class: "tally" }, `${of("papers", measured)} of ${all} are measured: ${outcomes.join(", ")}.`);
}

interface Column {
  readonly name: string;
  readonly of: (row: Row) => string | number;
  readonly cell?: (row: Row) => Node | string;
}

const COLUMNS: readonly Column[] = [
  { name: "No.", of: ({ line }) => Number(line) },
  { name: "Paper", of: ({ title }) => String(title).toLowerCase(), cell: titleCell },
  { name: "Year", of: ({ year }) => Number(year) },
  { name: "Family", of: ({ family }) => String(family).replaceAll("-", " ") },
  { name: "Verdict", of: ({ verdict, status }) => String(verdict ?? status), cell: verdictCell },
  {
    name: "95 % interval",
    of: ({ low }) => (low == null ? Number.POSITIVE_INFINITY : Number(low)),
    cell: intervalCell,
  },
  {
    name: "n",
    of: ({ n }) => (n == null ? Number.POSITIVE_INFINITY : Number(n)),
    cell: ({ n }) => (n == null ? "" : String(n)),
  },
];

function titleCell({ slug, title, claim }: Row): Node {
  const link = element("a", { href: `./papers/${slug}` }, String(title));
  return element("div", {}, link, element("p", { class: "claim-text" }, String(claim)));
}

function verdictCell(row: Row): Node | string {
  if (row.verdict == null) return "planned";
  const scope = row.scope == null ? "" : `, ${row.scope}`;
  const recalled = row.definition === "code read" || row.definition === "paper read" ? "" : ", definition recalled";
  const slug = String(row.verdict).replaceAll(" ", "-");
  return element(
    "span",
    { class: "outcome", "data-outcome": slug },
    ...outcomeOf({ outcome: row.verdict }),
    scope,
    recalled,
  );
}

function intervalCell({ low, high }: Row): string {
  if (typeof low !== "number" || typeof high !== "number") return "";
  return interval(0, low, high).replace(/^\S+ /, "");
}

export interface PaperTable {
  readonly element: HTMLElement;
  /** Shows these papers, in the order that the reader has chosen. */
  update(rows: readonly Row[]): void;
}

export function paperTable(): PaperTable {
  let rows: readonly Row[] = [];
  let sorted = { column: 0, descending: false };
  const caption = element("caption", { "aria-live": "polite" });
  const body = element("tbody");
  const heads = COLUMNS.map(({ name }, column) => {
    const button = element("button", { type: "button", onclick: () => sortBy(column) }, name);
    return element("th", { scope: "col" }, button);
  });
  const table = element("table", {}, caption, element("thead", {}, element("tr", {}, ...heads)), body);

  const draw = () => {
    const { of } = COLUMNS[sorted.column];
    const sign = sorted.descending ? -1 : 1;
    const ordered = [...rows].sort((a, b) => (of(a) < of(b) ? -sign : of(a) > of(b) ? sign : 0));
    for (const [column, head] of heads.entries()) {
      const state = sorted.descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", column === sorted.column ? state : "none");
    }
    caption.textContent = `${rows.length} of the catalogue's papers`;
    body.replaceChildren(
      ...ordered.map((row) =>
        element(
          "tr",
          {},
          ...COLUMNS.map(({ of: value, cell }) => element("td", {}, cell ? cell(row) : String(value(row)))),
        ),
      ),
    );
  };
  const sortBy = (column: number) => {
    sorted = { column, descending: column === sorted.column && !sorted.descending };
    draw();
  };
  const node = element("div", { class: "papers", tabindex: 0, role: "region", "aria-label": "Papers" }, table);
  return {
    element: node,
    update(next) {
      rows = next;
      draw();
    },
  };
}
