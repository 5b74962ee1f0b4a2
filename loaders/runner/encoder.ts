/**
 * Rows to an Arrow IPC stream, with the gate that lets nothing through that a page would choke on or misread: the
 * declared columns and no others, no missing value, NaN or infinity where the declaration does not allow it, no
 * integer that int32 cannot hold.
 */
import {
  Table as ArrowTable,
  Bool,
  Data,
  type DataType,
  Dictionary,
  Field,
  Float32,
  Float64,
  Int32,
  makeData,
  RecordBatch,
  RecordBatchReader,
  Schema,
  Struct,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import type { Column, Kind, Table } from "../table.js";

type Rows = readonly Readonly<Record<string, unknown>>[];
type Storage = Int32Array | Float32Array | Float64Array | Uint8Array;

const storages = {
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
  text: Int32Array, // indices into the dictionary
  flag: Uint8Array, // one byte per row until the bits are packed
} satisfies Record<Kind, new (length: number) => Storage>;

/** What is wrong with a value that is not missing, or undefined. */
const faults: Record<Kind, (value: unknown) => string | undefined> = {
  int32: (value) => (typeof value === "number" && (value | 0) === value ? undefined : "is not a 32-bit integer"),
  float32: (value) => (Number.isFinite(Math.fround(Number(value))) ? number(value) : "is beyond float32"),
  float64: number,
  text: (value) => (typeof value === "string" ? undefined : "is not text"),
  flag: (value) => (typeof value === "boolean" ? undefined : "is neither true nor false"),
};

function number(value: unknown): string | undefined {
  if (typeof value !== "number") return "is not a number";
  return Number.isFinite(value) ? undefined : "is not finite";
}

class ColumnBuilder {
  readonly #kind: Kind;
  readonly #optional: boolean;
  readonly #words = new Map<string, number>();
  #values: Storage;
  #present: Uint8Array;
  #missing = 0;

  constructor({ kind, optional = false }: Column) {
    this.#kind = kind;
    this.#optional = optional;
    this.#values = new storages[kind](1024);
    this.#present = new Uint8Array(optional ? 1024 : 0);
  }

  /** Stores a row's value, or says why it cannot. */
  set(row: number, value: unknown): string | undefined {
    if (row === this.#values.length) this.#grow();
    if (value === null || value === undefined || Number.isNaN(value)) {
      if (!this.#optional) return Number.isNaN(value) ? "is NaN" : "is missing";
      ++this.#missing;
      return undefined;
    }
    const fault = faults[this.#kind](value);
    if (fault !== undefined) return fault;
    if (this.#optional) this.#present[row] = 1;
    this.#values[row] = typeof value === "string" ? this.#word(value) : Number(value);
    return undefined;
  }

  #word(text: string): number {
    const known = this.#words.get(text);
    if (known !== undefined) return known;
    this.#words.set(text, this.#words.size);
    return this.#words.size - 1;
  }

  #grow(): void {
    const length = 2 * this.#values.length;
    const values = new storages[this.#kind](length);
    values.set(this.#values);
    this.#values = values;
    if (!this.#optional) return;
    const present = new Uint8Array(length);
    present.set(this.#present);
    this.#present = present;
  }

  data(type: DataType, length: number): Data {
    const stored = this.#values.subarray(0, length);
    const values = this.#kind === "flag" ? bits(stored, length) : stored;
    const validity = this.#missing > 0 ? bits(this.#present, length) : undefined;
    const dictionary = this.#kind === "text" ? vectorFromArray([...this.#words.keys()], new Utf8()) : undefined;
    return new Data(type, 0, length, this.#missing, [undefined, values, validity], [], dictionary);
  }
}

/** One bit per value of 0 or 1, the lowest first. */
export function bits(bytes: ArrayLike<number>, length: number): Uint8Array {
  const packed = new Uint8Array(Math.ceil(length / 64) * 8); // Arrow pads buffers to 8 bytes
  for (let i = 0; i < length; ++i) packed[i >> 3] |= bytes[i] << (i & 7);
  return packed;
}

/** Arrow would number dictionaries by the order of their creation in the process: the column's place is reproducible. */
const types: Record<Kind, (column: number) => DataType> = {
  int32: () => new Int32(),
  float32: () => new Float32(),
  float64: () => new Float64(),
  text: (column) => new Dictionary(new Utf8(), new Int32(), column),
  flag: () => new Bool(),
};

export function schemaOf(
  { meaning: about, columns }: Table,
  metadata: ReadonlyMap<string, string> = new Map(),
): Schema {
  const fields = Object.entries(columns).map(([name, { kind, meaning, unit, optional }], index) => {
    const description = new Map([["meaning", meaning], ...(unit ? [["unit", unit] as const] : [])]);
    return new Field(name, types[kind](index), optional ?? false, description);
  });
  return new Schema(fields, new Map([["meaning", about], ...metadata]));
}

export class Encoder {
  readonly #experiment: string;
  readonly table: Table;
  readonly #names: readonly string[];
  readonly #columns: readonly ColumnBuilder[];
  #rows = 0;

  constructor(experiment: string, table: Table) {
    this.#experiment = experiment;
    this.table = table;
    this.#names = Object.keys(table.columns);
    this.#columns = Object.values(table.columns).map((column) => new ColumnBuilder(column));
  }

  get rows(): number {
    return this.#rows;
  }

  /** Throws an Error that names experiment, table, column and row where a row does not fit the declaration. */
  append(rows: Rows): void {
    for (const row of rows) {
      for (const [index, name] of this.#names.entries()) {
        const fault = this.#columns[index].set(this.#rows, row[name]);
        if (fault !== undefined) this.#refuse(name, `${fault}: ${String(row[name])}`);
      }
      for (const name in row) if (!Object.hasOwn(this.table.columns, name)) this.#refuse(name, "is not declared");
      ++this.#rows;
    }
  }

  #refuse(column: string, fault: string): never {
    throw new Error(
      `experiment ${this.#experiment}, table ${this.table.name}, column ${column}, row ${this.#rows}: the value ${fault}`,
    );
  }

  /** The stream, with its end marker. Equal rows give equal bytes. */
  finish(metadata: ReadonlyMap<string, string>): Uint8Array {
    const schema = schemaOf(this.table, metadata);
    const children = this.#columns.map((column, index) => column.data(schema.fields[index].type, this.#rows));
    const data = makeData({ type: new Struct(schema.fields), length: this.#rows, nullCount: 0, children });
    return tableToIPC(new ArrowTable(schema, new RecordBatch(schema, data)), "stream");
  }
}

/** The same stream with more metadata in its schema; what follows the schema is taken over byte by byte. */
export function withMetadata(stream: Uint8Array, metadata: ReadonlyMap<string, string>): Uint8Array {
  const { schema } = RecordBatchReader.from(stream).open();
  const extended = new Schema(schema.fields, new Map([...schema.metadata, ...metadata]), schema.dictionaries);
  const head = tableToIPC(new ArrowTable(extended), "stream");
  const rest = stream.subarray(firstMessageEnd(stream));
  const result = new Uint8Array(firstMessageEnd(head) + rest.length);
  result.set(head.subarray(0, firstMessageEnd(head)));
  result.set(rest, firstMessageEnd(head));
  return result;
}

/** A schema message is a continuation marker, the length of its metadata, and the metadata: it has no body. */
export function firstMessageEnd(stream: Uint8Array): number {
  return 8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true);
}
