/** A page as Markdown that stands on its own: text, sentences of the charts, their queries and their first rows. */
import { type Part, verdictText } from "./content.js";
import type { ShownFigure } from "./shown.js";

const ROWS_SHOWN = 20;

export function markdownOf(parts: readonly Part[], citation: string): string {
  return `${[...parts.map(textOf), "## How to cite", citation].join("\n\n")}\n`;
}

function textOf(part: Part): string {
  switch (part.kind) {
    case "text":
      return part.text;
    case "verdicts":
      return verdictText(part);
    case "figure":
      return figure(part);
  }
}

function figure({ claim, note, sql, rows }: ShownFigure): string {
  const names = Object.keys(rows[0] ?? {});
  const line = (cells: readonly unknown[]) => `| ${cells.map(cell).join(" | ")} |`;
  const table = [
    names,
    names.map(() => "---"),
    ...rows.slice(0, ROWS_SHOWN).map((row) => names.map((name) => row[name])),
  ];
  const count = rows.length > ROWS_SHOWN ? `First ${ROWS_SHOWN} of ${rows.length} rows.` : undefined;
  return [`**${claim}**`, note, `\`\`\`sql\n${sql}\n\`\`\``, table.map(line).join("\n"), count]
    .filter(Boolean)
    .join("\n\n");
}

function cell(value: unknown): string {
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  const text = value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.replace(/[|\\]/g, "\\$&").replaceAll("\n", " ");
}
