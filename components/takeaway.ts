/** What a reader can carry away from a figure: its rows as files, and what the columns of its tables mean. */
import { Schema, Table, tableToIPC } from "apache-arrow";
import type { Row, TableInfo } from "./database.js";
import { element } from "./element.js";

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

/**
 * A table as an Arrow file, with `metadata` in its schema.
 * @see https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
 */
export function arrow({ schema, batches }: Table, metadata: Readonly<Record<string, string>>): Blob {
  const described = new Schema(schema.fields, new Map(Object.entries(metadata)));
  const bytes = tableToIPC(new Table(described, batches), "file");
  return new Blob([bytes.slice()], { type: "application/vnd.apache.arrow.file" });
}

export function save(name: string, blob: Blob): void {
  const href = URL.createObjectURL(blob);
  element("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
