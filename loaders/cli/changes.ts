/** What differs between two versions of a result, as lines of text. */
import type { ColumnChange, TableChange } from "../store/compare.js";

export function changeLines({ table, columns, gone, added }: TableChange): string[] {
  return [
    ...columns.map((change) => `  ${table}.${change.column}: ${describe(change)}`),
    ...gone.map((what) => `  ${table}: ${what} gone`),
    ...added.map((what) => `  ${table}: ${what} more`),
  ];
}

function describe({ differing, of, where, before, now, by }: ColumnChange): string {
  const most = by === undefined ? "" : `, by ${figure(by)}`;
  const count = of === 1 ? "" : `${differing} of ${of} values, ${differing === 1 ? "" : "most of all "}at ${where}: `;
  return `${count}${figure(before)} → ${figure(now)}${most}`;
}

function figure(value: unknown): string {
  if (typeof value === "number") return Number(value.toPrecision(6)).toString();
  return value === null || value === undefined ? "–" : String(value);
}
