/**
 * A table whose schema is declared once, next to the experiment, and travels with the data: name, type, unit and
 * meaning of every column are in the Arrow schema's metadata, where SQL, charts and readers of the file find them.
 */
/** `text` is for names that repeat: it is stored as a dictionary. */
export type Kind = "int32" | "float32" | "float64" | "text" | "flag";

/** A column: its type, what it means, its unit, whether a value may be missing, and how exact it is. */
export interface Column {
  readonly kind: Kind;
  readonly meaning: string;
  readonly unit?: string;
  readonly optional?: boolean;
  /**
   * How far two computations of a value may be apart, in its unit, to count as the same number. Where it is left out,
   * floats may differ by 1e-4 of themselves or of 1, whichever is larger, and all else must be equal.
   */
  readonly tolerance?: number;
}

export type Columns = Readonly<Record<string, Column>>;

type ValueOf<C extends Column> = C["kind"] extends "text" ? string : C["kind"] extends "flag" ? boolean : number;

export type Row<C extends Columns> = {
  readonly [N in keyof C]: C[N]["optional"] extends true ? ValueOf<C[N]> | null : ValueOf<C[N]>;
};

export interface Table<C extends Columns = Columns> {
  readonly name: string;
  readonly meaning: string;
  readonly columns: C;
}

export function table<const C extends Columns>(name: string, meaning: string, columns: C): Table<C> {
  return { name, meaning, columns };
}

/** Rows for one of an experiment's tables, yielded while it runs. */
export interface Batch {
  readonly table: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** Typed on the way in: the rows must be rows of that table. */
export function batch<C extends Columns>(of: Table<C>, rows: readonly Row<C>[]): Batch {
  return { table: of.name, rows };
}
