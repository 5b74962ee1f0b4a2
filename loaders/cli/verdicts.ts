/** The claims of a result and what they came to, as lines of text. */
import { tableFromIPC } from "apache-arrow";
import type { Result } from "../store/result.js";
import { color } from "../terminal.js";

export async function verdictLines(result: Result): Promise<string[]> {
  const { title, experiment, model } = result.passport;
  const about = model ? ` on ${model.name}${model.control ? ` (control: ${model.control})` : ""}` : "";
  const claims = tableFromIPC(await result.table("verdicts")).toArray();
  const rows = claims.map(({ claim, outcome, estimate, low, high, n }) => [
    String(claim),
    String(outcome),
    `${figure(estimate)} [${figure(low)}, ${figure(high)}]`,
    `n = ${n}`,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column].length)));
  return [
    color.bold(`${experiment}: ${title}${about}`),
    ...rows.map(
      (row) =>
        `  ${row
          .map((text, column) => text.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}`,
    ),
  ];
}

function figure(value: number | null): string {
  return value === null ? "–" : Number(value.toPrecision(3)).toString();
}
