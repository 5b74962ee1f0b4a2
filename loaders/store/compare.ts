/** How far two versions of a table are apart, value by value. */
import { type Table as ArrowTable, DataType, tableFromIPC } from "apache-arrow";

/** What differs in a column. */
export interface ColumnChange {
  readonly column: string;
  /** Values that differ by more than the tolerance, of so many. */
  readonly differing: number;
  readonly of: number;
  /** Where they differ most, by the row's names and whole numbers; without numbers, the first place. */
  readonly where: string;
  readonly before: unknown;
  readonly now: unknown;
  readonly by?: number;
}

export interface TableChange {
  readonly table: string;
  readonly columns: readonly ColumnChange[];
  /** What is there only before, or only now: columns, or rows. */
  readonly gone: readonly string[];
  readonly added: readonly string[];
}

/** The largest difference of two values of a column that still counts as none; undefined for that of its type. */
export type Tolerance = (column: string) => number | undefined;

/** Of themselves, or of 1 where they are smaller, in columns that declare no tolerance of their own. */
const ofFloats = 1e-4;

/** Undefined where the tables are the same within the tolerance. */
export function tableChange(
  table: string,
  before: Uint8Array,
  now: Uint8Array,
  tolerance: Tolerance = () => undefined,
): TableChange | undefined {
  const [old, young] = [tableFromIPC(before), tableFromIPC(now)];
  const [oldNames, youngNames] = [old, young].map(({ schema }) => schema.fields.map(({ name }) => name));
  const common = oldNames.filter((name) => youngNames.includes(name));
  const { pairs, gone, added } = rowPairs(old, young, common);
  const columns = common.flatMap((name) => columnChange(name, old, young, pairs, tolerance(name)) ?? []);
  const missing = (names: readonly string[], others: readonly string[]) =>
    names.filter((name) => !others.includes(name)).map((name) => `column ${name}`);
  const change = {
    table,
    columns,
    gone: [...missing(oldNames, youngNames), ...rows(gone)],
    added: [...missing(youngNames, oldNames), ...rows(added)],
  };
  return columns.length + change.gone.length + change.added.length > 0 ? change : undefined;
}

const rows = (count: number) => (count === 0 ? [] : [count === 1 ? "1 row" : `${count} rows`]);

type Pair = readonly [before: number, now: number];

/** Equally many rows are taken in their order; otherwise rows belong together whose names and whole numbers are equal. */
function rowPairs(old: ArrowTable, young: ArrowTable, common: readonly string[]) {
  if (old.numRows === young.numRows) {
    return { pairs: Array.from({ length: old.numRows }, (_, i): Pair => [i, i]), gone: 0, added: 0 };
  }
  const identity = common.filter((name) => !DataType.isFloat(old.getChild(name)?.type));
  const labels = (table: ArrowTable) => {
    const vectors = identity.map((name) => table.getChild(name));
    return Array.from({ length: table.numRows }, (_, i) => JSON.stringify(vectors.map((it) => plain(it?.get(i)))));
  };
  const waiting = new Map<string, number[]>();
  labels(old).forEach((label, i) => {
    waiting.set(label, [...(waiting.get(label) ?? []), i]);
  });
  const pairs = labels(young).flatMap((label, now): Pair[] => {
    const before = waiting.get(label)?.shift();
    return before === undefined ? [] : [[before, now]];
  });
  return { pairs, gone: old.numRows - pairs.length, added: young.numRows - pairs.length };
}

function columnChange(
  column: string,
  old: ArrowTable,
  young: ArrowTable,
  pairs: readonly Pair[],
  tolerance: number | undefined,
): ColumnChange | undefined {
  const [before, now] = [old, young].map((table) => table.getChild(column)!);
  const isFloat = DataType.isFloat(before.type);
  let differing = 0;
  let worst: Omit<ColumnChange, "column" | "differing" | "of" | "where"> | undefined;
  let at = 0;
  for (const [i, j] of pairs) {
    const [a, b] = [plain(before.get(i)), plain(now.get(j))];
    if (a === b) continue;
    const by = typeof a === "number" && typeof b === "number" ? Math.abs(a - b) : undefined;
    const allowed = tolerance ?? (isFloat ? ofFloats * Math.max(1, Math.abs(Number(a))) : 0);
    if (by !== undefined && by <= allowed) continue;
    ++differing;
    if (!worst || (by ?? Infinity) > (worst.by ?? Infinity)) {
      worst = { before: a, now: b, ...(by === undefined ? {} : { by }) };
      at = j;
    }
  }
  return worst && { column, differing, of: pairs.length, where: place(young, at, column), ...worst };
}

/** "layer 3, head 2": the first columns of a row that are no measures. */
function place(table: ArrowTable, row: number, besides: string): string {
  const names = table.schema.fields.filter(({ name, type }) => name !== besides && !DataType.isFloat(type));
  const parts = names.slice(0, 3).map(({ name }) => `${name} ${plain(table.getChild(name)?.get(row))}`);
  return parts.length > 0 ? parts.join(", ") : `row ${row}`;
}

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
