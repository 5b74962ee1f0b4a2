/** How far two versions of a table are apart, value by value. */
import { type Table as ArrowTable, DataType, tableFromIPC, type Vector } from "apache-arrow";

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

/** How far the two versions of a column are apart, whether or not that is tolerated. */
export interface ColumnDistance {
  readonly column: string;
  /** Pairs of values that were compared, and those that differ by more than the tolerance. */
  readonly of: number;
  readonly differing: number;
  readonly tolerance: Allowance;
  /** Largest difference of two numbers. */
  readonly absolute: number;
  /** The same divided by the larger of the two sizes, so that it never exceeds 2. */
  readonly relative: number;
  /** The same divided by what is tolerated there: infinite where values differ that must be equal, or are no numbers. */
  readonly share: number;
  /** The pair of the largest share, of equally large ones the farthest apart; absent where all values are equal. */
  readonly farthest?: Pick<ColumnChange, "where" | "before" | "now" | "by">;
  /** Smallest and largest number before; absent where there is none. */
  readonly range?: readonly [smallest: number, largest: number];
}

/** How far two values may be apart: `by`, which is a share of the value, or of 1 if that is larger, where it is `scaled`. */
export interface Allowance {
  readonly by: number;
  readonly scaled: boolean;
}

export interface TableDistance {
  /** Of the columns that both have. */
  readonly columns: readonly ColumnDistance[];
  /** Rows that only one has. */
  readonly unpaired: number;
  readonly change?: TableChange;
}

/** The largest difference of two values of a column that still counts as none; undefined for that of its type. */
export type Tolerance = (column: string) => number | undefined;

/** Of themselves, or of 1 where they are smaller, in columns that declare no tolerance of their own. */
const ofFloats = 1e-4;

/** Undefined where the tables are the same within the tolerance. */
export function tableChange(...versions: Parameters<typeof tableDistance>): TableChange | undefined {
  return tableDistance(...versions).change;
}

/** Every column's distance, and what of it is a change. */
export function tableDistance(
  table: string,
  before: Uint8Array,
  now: Uint8Array,
  tolerance: Tolerance = () => undefined,
): TableDistance {
  const [old, young] = [tableFromIPC(before), tableFromIPC(now)];
  const [oldNames, youngNames] = [old, young].map(({ schema }) => schema.fields.map(({ name }) => name));
  const common = oldNames.filter((name) => youngNames.includes(name));
  const { pairs, gone, added } = rowPairs(old, young, common);
  const columns = common.map((name) => columnDistance(name, old, young, pairs, tolerance(name)));
  const missing = (names: readonly string[], others: readonly string[]) =>
    names.filter((name) => !others.includes(name)).map((name) => `column ${name}`);
  const change = {
    table,
    columns: columns.flatMap(changeOf),
    gone: [...missing(oldNames, youngNames), ...rows(gone)],
    added: [...missing(youngNames, oldNames), ...rows(added)],
  };
  const isSame = change.columns.length + change.gone.length + change.added.length === 0;
  return { columns, unpaired: gone + added, ...(isSame ? {} : { change }) };
}

const rows = (count: number) => (count === 0 ? [] : [count === 1 ? "1 row" : `${count} rows`]);

function changeOf({ column, differing, of, farthest }: ColumnDistance): ColumnChange[] {
  return differing > 0 && farthest ? [{ column, differing, of, ...farthest }] : [];
}

type Pair = readonly [before: number, now: number];

/**
 * Rows belong together whose names and whole numbers are equal, in whatever order they stand. Where that leaves some of
 * equally many rows alone, names or whole numbers themselves have changed: then all are taken in their order.
 */
function rowPairs(old: ArrowTable, young: ArrowTable, common: readonly string[]) {
  const identity = common.filter((name) => !DataType.isFloat(old.getChild(name)?.type));
  const labels = (table: ArrowTable) => {
    const vectors = identity.map((name) => table.getChild(name));
    return Array.from({ length: table.numRows }, (_, i) => JSON.stringify(vectors.map((it) => plain(it?.get(i)))));
  };
  const waiting = new Map<string, number[]>();
  labels(old).forEach((label, i) => {
    const same = waiting.get(label);
    if (same) same.push(i);
    else waiting.set(label, [i]);
  });
  const pairs = labels(young).flatMap((label, now): Pair[] => {
    const before = waiting.get(label)?.shift();
    return before === undefined ? [] : [[before, now]];
  });
  if (old.numRows === young.numRows && pairs.length < old.numRows) {
    return { pairs: Array.from({ length: old.numRows }, (_, i): Pair => [i, i]), gone: 0, added: 0 };
  }
  return { pairs, gone: old.numRows - pairs.length, added: young.numRows - pairs.length };
}

function columnDistance(
  column: string,
  old: ArrowTable,
  young: ArrowTable,
  pairs: readonly Pair[],
  declared: number | undefined,
): ColumnDistance {
  const [before, now] = [old, young].map((table) => table.getChild(column)!);
  const scaled = declared === undefined && DataType.isFloat(before.type);
  const tolerance = { by: declared ?? (scaled ? ofFloats : 0), scaled };
  const largest = { absolute: 0, relative: 0, share: 0 };
  let differing = 0;
  let farthest: ColumnDistance["farthest"];
  for (const [i, j] of pairs) {
    const [a, b] = [plain(before.get(i)), plain(now.get(j))];
    if (Object.is(a, b) || a === b) continue;
    const by = isNumber(a) && isNumber(b) ? Math.abs(a - b) : undefined;
    const share = shareOf(by, Number(a), tolerance);
    if (share > 1) ++differing;
    if (by !== undefined) {
      largest.absolute = Math.max(largest.absolute, by);
      largest.relative = Math.max(largest.relative, by / Math.max(Math.abs(Number(a)), Math.abs(Number(b))));
    }
    const isFarther = share === largest.share ? (by ?? Infinity) > (farthest?.by ?? Infinity) : share > largest.share;
    if (farthest && !isFarther) continue;
    largest.share = share;
    farthest = { where: place(young, j, column), before: a, now: b, ...(by === undefined ? {} : { by }) };
  }
  const range = rangeOf(before);
  return {
    column,
    of: pairs.length,
    differing,
    tolerance,
    ...largest,
    ...(farthest ? { farthest } : {}),
    ...(range ? { range } : {}),
  };
}

/** A difference as a share of what is tolerated of that value. */
function shareOf(by: number | undefined, value: number, tolerance: Allowance): number {
  if (by === undefined) return Infinity;
  return by / (tolerance.scaled ? tolerance.by * Math.max(1, Math.abs(value)) : tolerance.by);
}

function rangeOf(vector: Vector): ColumnDistance["range"] {
  let [smallest, largest] = [Infinity, -Infinity];
  for (const value of vector) {
    const number = plain(value);
    if (!isNumber(number)) continue;
    smallest = Math.min(smallest, number);
    largest = Math.max(largest, number);
  }
  return smallest <= largest ? [smallest, largest] : undefined;
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

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
