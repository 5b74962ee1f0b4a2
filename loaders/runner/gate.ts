/**
 * The last look at a table before it is stored or handed to a page: nothing passes that DuckDB-WASM would read as no
 * table at all, or as other numbers than were meant.
 */
import { type Data, DataType, type Field, RecordBatchReader, type Schema } from "apache-arrow";
import { messages } from "../messages.js";
import type { Table } from "../table.js";
import { schemaOf } from "./encoder.js";

const endMarker = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
const fileMagic = [..."ARROW1"].map((letter) => letter.charCodeAt(0));

/**
 * Throws an Error that names the table and what is wrong with it, where the bytes are not a whole Arrow IPC stream of
 * values that pages can read, and of the declared schema where one is given.
 */
export function checkStream(bytes: Uint8Array, where: string, declared?: Table): void {
  const refuse = (fault: string): never => {
    throw new Error(messages.badTable(where, fault));
  };
  if (fileMagic.every((byte, i) => bytes[i] === byte)) refuse("is in Arrow's file format: write the stream format");
  const tail = bytes.subarray(-endMarker.length);
  if (bytes.length < 16 || endMarker.some((byte, i) => tail[i] !== byte)) {
    refuse("is not an Arrow IPC stream with its end marker: it was cut off, or is something else");
  }
  const { schema, columns } = read(bytes, refuse);
  const fault = (declared && schemaFault(schema, schemaOf(declared))) ?? schema.fields.map(typeFault).find(Boolean);
  if (fault) refuse(fault);
  for (const [field, data] of columns) {
    const fault = valueFault(field, data);
    if (fault) refuse(`has a column ${field.name} ${fault}`);
  }
}

function read(bytes: Uint8Array, refuse: (fault: string) => never) {
  try {
    const reader = RecordBatchReader.from(bytes).open();
    const { schema } = reader; // gone when the reader has reached the end
    const columns = [...reader].flatMap(({ data }) =>
      schema.fields.map((field, i): [Field, Data] => [field, data.children[i]]),
    );
    return { schema, columns };
  } catch (error) {
    return refuse(`cannot be read as Arrow: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function schemaFault({ fields }: Schema, { fields: declared }: Schema): string | undefined {
  const shown = ({ name, type, nullable }: Field) => `${name} ${type}${nullable ? " or missing" : ""}`;
  const [have, want] = [fields, declared].map((list) => list.map(shown));
  const at = want.findIndex((column, i) => column !== have[i]);
  if (at >= 0) return `has ${have[at] ?? "nothing"} where its declaration has ${want[at]}`;
  return have.length > want.length ? `has ${have[want.length]}, which is not declared` : undefined;
}

function typeFault({ name, type }: Field): string | undefined {
  const half = DataType.isFloat(type) && type.ArrayType === Uint16Array;
  if (half) return `has a column ${name} of float16, which DuckDB-WASM refuses: use float32`;
  return isPlain(type)
    ? undefined
    : `has a column ${name} of ${type}, in which values are not checked: use numbers, text or flags`;
}

/** Numbers could hide in lists, structures and dictionaries. */
function isPlain(type: DataType): boolean {
  if (DataType.isDictionary(type)) return DataType.isUtf8(type.dictionary);
  return [DataType.isInt, DataType.isFloat, DataType.isUtf8, DataType.isBool, DataType.isNull].some((is) => is(type));
}

function valueFault({ type, nullable }: Field, data: Data): string | undefined {
  if (data.nullCount > 0 && !nullable) return "with missing values, which its schema forbids";
  const isPresent = (i: number) => data.nullCount === 0 || data.getValid(i);
  const has = (wrong: (value: number | bigint) => boolean) => {
    const values: ArrayLike<number | bigint> = data.values;
    for (let i = 0; i < data.length; ++i) if (wrong(values[i]) && isPresent(i)) return true;
    return false;
  };
  if (DataType.isFloat(type) && has(Number.isNaN as (value: number | bigint) => boolean)) {
    return "with NaN, which its schema forbids: leave the value out";
  }
  const large = (value: number | bigint) => value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER;
  if (DataType.isInt(type) && type.bitWidth === 64 && has(large)) {
    return "with integers beyond 2^53, which pages would round: use float64 or text";
  }
  return undefined;
}
