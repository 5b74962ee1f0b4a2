/** An Arrow IPC stream that grows on disk batch by batch under a temporary name, and appears whole or not at all. */
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import {
  Data,
  type DataType,
  Field,
  Float32,
  Int32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
} from "apache-arrow";
import { bits, firstMessageEnd } from "../runner/encoder.js";

export interface ColumnSpec {
  readonly name: string;
  readonly kind: "int32" | "float32";
  /** Stands in the field's metadata. */
  readonly about: Readonly<Record<string, string>>;
}

/** What one column holds in a run of rows: the same number, numbers that count up, or given values (NaN: none). */
export type Cells = number | { readonly from: number } | Float32Array;

type Values = Int32Array | Float32Array;

const rowsPerBatch = 65_536;
const endOfStream = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);

const types = { int32: new Int32(), float32: new Float32() };

export class ArrowFile {
  readonly #buffers: readonly Values[];
  #filled = 0;
  #rows = 0;

  private constructor(
    readonly path: string,
    private readonly draft: string,
    private readonly handle: FileHandle,
    private readonly schema: Schema,
    columns: readonly ColumnSpec[],
  ) {
    this.#buffers = columns.map(({ kind }) => new ({ int32: Int32Array, float32: Float32Array })[kind](rowsPerBatch));
  }

  static async create(
    path: string,
    columns: readonly ColumnSpec[],
    metadata: ReadonlyMap<string, string>,
  ): Promise<ArrowFile> {
    const fields = columns.map(
      ({ name, kind, about }) => new Field(name, types[kind], kind === "float32", new Map(Object.entries(about))),
    );
    const schema = new Schema(fields, new Map(metadata));
    const draft = `${path}.${process.pid}.tmp`;
    const handle = await open(draft, "w");
    const head = tableToIPC(new Table(schema), "stream");
    await handle.appendFile(head.subarray(0, firstMessageEnd(head)));
    return new ArrowFile(path, draft, handle, schema, columns);
  }

  get rows(): number {
    return this.#rows;
  }

  /** Adds rows: for each column what it holds in all of them. */
  async append(length: number, ...columns: readonly Cells[]): Promise<void> {
    for (let done = 0; done < length; ) {
      const count = Math.min(length - done, rowsPerBatch - this.#filled);
      for (const [index, cells] of columns.entries()) {
        const target = this.#buffers[index].subarray(this.#filled, this.#filled + count);
        if (typeof cells === "number") target.fill(cells);
        else if (cells instanceof Float32Array) target.set(cells.subarray(done, done + count));
        else for (let i = 0; i < count; ++i) target[i] = cells.from + done + i;
      }
      this.#filled += count;
      done += count;
      if (this.#filled === rowsPerBatch) await this.#flush();
    }
  }

  async #flush(): Promise<void> {
    if (this.#filled === 0) return;
    const { fields } = this.schema;
    const children = this.#buffers.map((values, i) => columnData(fields[i].type, values.subarray(0, this.#filled)));
    const data = makeData({ type: new Struct(fields), length: this.#filled, nullCount: 0, children });
    const stream = tableToIPC(new Table(this.schema, new RecordBatch(this.schema, data)), "stream");
    await this.handle.appendFile(stream.subarray(firstMessageEnd(stream), stream.length - endOfStream.length));
    this.#rows += this.#filled;
    this.#filled = 0;
  }

  /** Writes the rest and the end marker, and flushes to the disk; `publish` is then a rename. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.handle.appendFile(endOfStream);
    await this.handle.sync();
    await this.handle.close();
  }

  async publish(): Promise<void> {
    await rename(this.draft, this.path);
  }

  /** Leaves nothing behind; harmless after `publish`. */
  async discard(): Promise<void> {
    await this.handle.close().catch(() => undefined); // it may be closed
    await rm(this.draft, { force: true });
  }
}

/** NaN stands for a value that is not defined, and is stored as missing. */
function columnData(type: DataType, values: Values): Data {
  const present = Uint8Array.from(values, (value) => Number(!Number.isNaN(value)));
  const missing = present.reduce((count, flag) => count - flag, values.length);
  return new Data(type, 0, values.length, missing, [
    undefined,
    values,
    missing > 0 ? bits(present, values.length) : undefined,
  ]);
}
