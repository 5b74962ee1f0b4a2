/** What a listener hears instead of a chart: how much there is, and the range of each number. */
import type { Row } from "./database.js";
import { number } from "./format.js";

/** More names than this are counted and not read out. */
const MOST_NAMES = 8;

export function describe(rows: readonly Row[]): string {
  const parts = Object.keys(rows[0] ?? {}).map((name) => {
    const values = rows.map((row) => row[name]);
    const numbers = values.filter((value): value is number => typeof value === "number" && Number.isFinite(value));
    if (numbers.length) {
      const [least, most] = [Math.min, Math.max].map((of) => numbers.reduce((a, b) => of(a, b)));
      return `${name} from ${number(least)} to ${number(most)}`;
    }
    const names = [...new Set(values.map(String))];
    return names.length > MOST_NAMES ? `${names.length} values of ${name}` : `${name}: ${names.join(", ")}`;
  });
  return `Chart of ${rows.length} rows: ${parts.join("; ")}.`;
}
