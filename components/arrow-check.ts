/**
 * An Arrow file as DuckDB may have it. DuckDB trusts the lengths that a file claims: one that lies makes it read memory
 * that is not there, from which the page's whole database does not recover, or is taken for an empty table.
 * @see https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
 */
import { type Data, DataType, type RecordBatch, RecordBatchReader, type Schema, Table, tableToIPC } from "apache-arrow";

const END_OF_STREAM = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/**
 * Every column of every batch is as long as it says. @throws {Error} where it is not, or where the stream breaks off, with
 * the end of a sentence that begins with the name of the file
 */
export function readWhole(bytes: Uint8Array): Table {
  const tail = bytes.subarray(-END_OF_STREAM.length);
  if (bytes.length < 16 || END_OF_STREAM.some((byte, i) => tail[i] !== byte))
    throw new Error("it is not a complete Arrow IPC stream; delete it and let its loader write it again");
  const { schema, batches } = parse(bytes);
  for (const { data } of batches) for (const column of data.children) check(column);
  if (schema.fields.length === 0) throw new Error("it has no columns");
  if (batches.length === 0) throw new Error("it breaks off before its first rows");
  return new Table(schema, batches);
}

/** The library's own messages are about bytes, which say nothing to a reader. */
function parse(bytes: Uint8Array): { readonly schema: Schema; readonly batches: RecordBatch[] } {
  try {
    checkMessages(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    const reader = RecordBatchReader.from(bytes).open();
    const { schema } = reader; // it has none any more once it is read
    return { schema, batches: [...reader] };
  } catch (cause) {
    throw new Error("what it holds is not Arrow data; delete it and let its loader write it again", { cause });
  }
}

/**
 * No vector in the metadata of a message ends beyond it: the library makes an object for each element that a vector
 * claims to have, and would make two thousand million of them. Reads beyond the end throw.
 * @see https://flatbuffers.dev/internals and https://github.com/apache/arrow/blob/main/format/Message.fbs
 */
function checkMessages(view: DataView): void {
  const pointed = (at: number) => at + view.getUint32(at, true);
  /** Where a table has the field of this number; nowhere where it leaves it out. */
  const fieldOf = (table: number, number: number): number | undefined => {
    const index = table - view.getInt32(table, true);
    const slot = 4 + 2 * number;
    const offset = slot < view.getUint16(index, true) ? view.getUint16(index + slot, true) : 0;
    return offset === 0 ? undefined : table + offset;
  };
  const tableOf = (table: number, number: number): number => {
    const at = fieldOf(table, number);
    if (at === undefined) throw new RangeError("a table is missing");
    return pointed(at);
  };
  for (let at = 0, end = 0; view.getInt32(at + 4, true) !== 0; at = end) {
    const first = at + 8;
    end = first + view.getInt32(at + 4, true);
    /** The places of a vector's elements. */
    const elements = (table: number, number: number, size: number): number[] => {
      const field = fieldOf(table, number);
      if (field === undefined) return [];
      const vector = pointed(field);
      const length = view.getUint32(vector, true);
      if (vector + 4 + length * size > end) throw new RangeError("a vector is longer than its message");
      return Array.from({ length }, (_, i) => vector + 4 + i * size);
    };
    const checkRows = (batch: number) => [1, 2].forEach((number) => void elements(batch, number, 16));
    const checkColumn = (column: number): void => {
      elements(column, 6, 4);
      for (const child of elements(column, 5, 4)) checkColumn(pointed(child));
    };
    const message = pointed(first);
    const kind = view.getUint8(fieldOf(message, 1) ?? view.byteLength);
    const header = tableOf(message, 2);
    if (kind === HEADERS.schema) {
      elements(header, 2, 4);
      for (const column of elements(header, 1, 4)) checkColumn(pointed(column));
    } else checkRows(kind === HEADERS.dictionary ? tableOf(header, 1) : header);
    const body = fieldOf(message, 3);
    end += body === undefined ? 0 : Number(view.getBigInt64(body, true));
    if (end <= at) throw new RangeError("a message ends before it begins");
  }
}

const HEADERS = { schema: 1, dictionary: 2 };

/** Written anew, so that what DuckDB reads is what was checked here. */
export function checkedStream(table: Table): Uint8Array {
  return tableToIPC(table, "stream");
}

function check(data: Data): void {
  const { type, length, nullCount, nullBitmap, values, valueOffsets } = data;
  const fits = (there: number | undefined, needed: number) => (there ?? 0) >= needed;
  const sound =
    length >= 0 &&
    (nullCount === 0 || fits(nullBitmap?.length, Math.ceil(length / 8))) &&
    (DataType.isDictionary(type)
      ? fits(values?.length, length) && indicesFit(data)
      : DataType.isUtf8(type)
        ? offsetsFit(valueOffsets, length, values?.length ?? 0)
        : DataType.isBool(type)
          ? fits(values?.length, Math.ceil(length / 8))
          : DataType.isList(type)
            ? offsetsFit(valueOffsets, length, data.children[0]?.length ?? 0)
            : (DataType.isInt(type) || DataType.isFloat(type)) && fits(values?.length, length));
  if (!sound) throw new Error("a column is not as long as it says");
  for (const child of data.children) check(child);
  for (const chunk of data.dictionary?.data ?? []) check(chunk);
}

/** Text ends within its bytes, and no text begins after its end. */
function offsetsFit(offsets: Int32Array | undefined, length: number, bytes: number): boolean {
  if (length === 0) return true;
  if (!offsets || offsets.length <= length || offsets[0] < 0 || offsets[length] > bytes) return false;
  for (let i = 0; i < length; ++i) if (offsets[i] > offsets[i + 1]) return false;
  return true;
}

/** What stands in the place of a missing value does not matter. */
function indicesFit(data: Data): boolean {
  const entries = data.dictionary?.length ?? 0;
  for (let i = 0; i < data.length; ++i)
    if (data.getValid(i) && (data.values[i] < 0 || data.values[i] >= entries)) return false;
  return true;
}
