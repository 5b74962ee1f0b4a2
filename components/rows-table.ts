/** The rows of a chart as a table, which a reader can sort by any column. */
import type { Row } from "./database.js";
import { element } from "./element.js";
import { cell, number } from "./format.js";

const ROWS_SHOWN = 200;

export function rowsTable(rows: readonly Row[]): HTMLElement {
  const names = Object.keys(rows[0] ?? {});
  const body = element("tbody");
  const heads = names.map((name) => {
    const button = element("button", { type: "button" }, name);
    const head = element("th", { scope: "col", class: isNumeric(rows, name) && "number" }, button);
    button.addEventListener("click", () => {
      const downwards = head.ariaSort === "ascending";
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = downwards ? "descending" : "ascending";
      fill(body, rows.toSorted(by(name, downwards ? -1 : 1)), names);
    });
    return head;
  });
  fill(body, rows, names);
  const all = `${number(rows.length)} rows`;
  const caption = rows.length > ROWS_SHOWN ? `First ${ROWS_SHOWN} of ${all}.` : `${all}.`;
  return element(
    "div",
    { class: "rows", tabindex: 0, role: "region", "aria-label": "Rows drawn in the chart" },
    element("table", {}, element("caption", {}, caption), element("thead", {}, element("tr", {}, ...heads)), body),
  );
}

const isNumeric = (rows: readonly Row[], name: string) => rows.some((row) => typeof row[name] === "number");

function fill(body: HTMLElement, rows: readonly Row[], names: readonly string[]): void {
  const numeric = new Set(names.filter((name) => isNumeric(rows, name)));
  const lines = rows.slice(0, ROWS_SHOWN).map((row) => {
    const cells = names.map((name) => element("td", { class: numeric.has(name) && "number" }, cell(row[name])));
    return element("tr", {}, ...cells);
  });
  body.replaceChildren(...lines);
}

/** Numbers by size, all else by its text; what is missing comes last. */
function by(name: string, direction: 1 | -1): (a: Row, b: Row) => number {
  return (a, b) => {
    const [x, y] = [a[name], b[name]];
    if (x == null || y == null) return Number(x == null) - Number(y == null);
    if (typeof x === "number" && typeof y === "number") return direction * (x - y);
    return direction * cell(x).localeCompare(cell(y), "en");
  };
}
