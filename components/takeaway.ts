/** What a reader can look at or carry away from a figure: its rows, its query, and what the columns mean. */
import type { Row, TableInfo } from "./database.js";
import { element } from "./element.js";
import { cell, number } from "./format.js";

const ROWS_SHOWN = 200;

export function rowsTable(rows: readonly Row[]): HTMLElement {
  const names = Object.keys(rows[0] ?? {});
  const numeric = new Set(names.filter((name) => typeof rows[0][name] === "number"));
  const head = names.map((name) => element("th", { scope: "col", class: numeric.has(name) && "number" }, name));
  const body = rows
    .slice(0, ROWS_SHOWN)
    .map((row) =>
      element(
        "tr",
        {},
        ...names.map((name) => element("td", { class: numeric.has(name) && "number" }, cell(row[name]))),
      ),
    );
  const more =
    rows.length > ROWS_SHOWN ? `First ${ROWS_SHOWN} of ${number(rows.length)} rows.` : `${number(rows.length)} rows.`;
  return element(
    "div",
    { class: "rows", tabindex: 0, role: "region", "aria-label": "Rows drawn in the chart" },
    element(
      "table",
      {},
      element("caption", {}, more),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...body),
    ),
  );
}

export function sqlText(sql: string): HTMLElement {
  return element("pre", { class: "sql", tabindex: 0 }, element("code", {}, outdent(sql)));
}

function outdent(sql: string): string {
  const lines = sql.split("\n");
  const indent = Math.min(
    ...lines
      .slice(1)
      .filter((line) => line.trim())
      .map((line) => line.length - line.trimStart().length),
  );
  return Number.isFinite(indent) ? [lines[0], ...lines.slice(1).map((line) => line.slice(indent))].join("\n") : sql;
}

/** The whole table behind a query: the file, and what each column means. */
export function tableCard({ name, meaning, columns, href }: TableInfo): HTMLElement {
  const entries = columns.flatMap(({ name: column, meaning: of, unit }) => [
    element("dt", {}, element("code", {}, column)),
    element("dd", {}, [of ?? "–", unit && `(${unit})`].filter(Boolean).join(" ")),
  ]);
  return element(
    "div",
    { class: "table-card" },
    element(
      "p",
      {},
      "Table ",
      element("code", {}, name),
      meaning ? `: ${meaning}. ` : ". ",
      element("a", { href, download: "" }, "Arrow file"),
    ),
    element("dl", {}, ...entries),
  );
}

export function csv(rows: readonly Row[]): Blob {
  const names = Object.keys(rows[0] ?? {});
  const quote = (value: unknown) => {
    const text = value == null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => line.map(quote).join(","));
  return new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" });
}

export function save(name: string, blob: Blob): void {
  const href = URL.createObjectURL(blob);
  element("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
