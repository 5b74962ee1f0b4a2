import {
  Table as ArrowTable,
  type DataType,
  Dictionary,
  Field,
  Float16,
  Float64,
  Int32,
  Int64,
  List,
  makeTable,
  Struct,
  tableToIPC,
  vectorFromArray,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import { Encoder } from "../../../loaders/runner/encoder.js";
import { checkStream } from "../../../loaders/runner/gate.js";
import { type Table, table } from "../../../loaders/table.js";

const heads = table("heads", "What heads do.", {
  layer: { kind: "int32", meaning: "the layer" },
  role: { kind: "text", meaning: "what it is" },
  mass: { kind: "float64", meaning: "mass on the first token", optional: true },
});

function encoded(
  of: Table = heads,
  rows: readonly Record<string, unknown>[] = [{ layer: 1, role: "sink", mass: null }],
) {
  const encoder = new Encoder("trial", of);
  encoder.append(rows);
  return encoder.finish(new Map());
}

const columns = (name: string, values: readonly unknown[], type: DataType) =>
  tableToIPC(new ArrowTable({ [name]: vectorFromArray(values, type) }), "stream");

describe("the gate lets through", () => {
  test.each([
    ["what the encoder writes", encoded()],
    ["a table without rows", encoded(heads, [])],
    [
      "several batches",
      encoded(
        heads,
        Array.from({ length: 5000 }, (_, i) => ({ layer: i, role: `${i}`, mass: i })),
      ),
    ],
  ])("%s", (_, bytes) => {
    expect(() => checkStream(bytes, "heads", heads)).not.toThrow();
  });

  test("large integers that a page can hold", () => {
    expect(() => checkStream(columns("n", [2n ** 53n - 1n], new Int64()), "counts")).not.toThrow();
  });
});

describe("the gate refuses", () => {
  const half = encoded().length / 2;
  const torn = encoded().slice();
  torn.copyWithin(half, half + 8, torn.length - 8); // the right ends, and something missing between them
  const nullable = (values: readonly (number | null)[]) => columns("mass", values, new Float64());
  test.each([
    ["Arrow's file format", tableToIPC(makeTable({ n: Int32Array.of(1) }), "file"), /is in Arrow's file format/],
    ["a missing end marker", encoded().subarray(0, -8), /is not an Arrow IPC stream with its end marker/],
    ["a file that was cut off", encoded().subarray(0, half), /is not an Arrow IPC stream with its end marker/],
    ["an empty file", new Uint8Array(), /is not an Arrow IPC stream/],
    ["something else", new TextEncoder().encode("<html>Not found</html>"), /is not an Arrow IPC stream/],
    ["noise between the right ends", Uint8Array.of(...new Uint8Array(64).fill(90), ...encoded().slice(-8)), /Arrow/],
    ["float16", columns("h", [1, 2], new Float16()), /has a column h of float16, which DuckDB-WASM refuses/],
    ["integers beyond 2^53", columns("n", [2n ** 53n], new Int64()), /has a column n with integers beyond 2\^53/],
    ["integers below -2^53", columns("n", [-(2n ** 60n)], new Int64()), /has a column n with integers beyond 2\^53/],
    ["NaN", nullable([1, Number.NaN]), /has a column mass with NaN, which its schema forbids/],
    [
      "NaN in a dictionary",
      columns("mass", [1, Number.NaN], new Dictionary(new Float64(), new Int32())),
      /has a column mass of Dictionary<.*>, in which values are not checked/,
    ],
    ["float16 in lists", columns("h", [[1, 2]], new List(new Field("item", new Float16()))), /has a column h of List</],
    [
      "integers in structures",
      columns("s", [{ n: 2n ** 60n }], new Struct([new Field("n", new Int64())])),
      /has a column s of Struct</,
    ],
    ["NaN among missing values", nullable([null, Number.NaN]), /has a column mass with NaN/],
  ])("%s, with a sentence", (_, bytes, sentence) => {
    expect(() => checkStream(bytes, "heads")).toThrow(sentence);
    expect(() => checkStream(bytes, "heads")).toThrow(/^heads .*\.$/s);
  });

  test.each([
    ["another type", { ...heads.columns, layer: { kind: "float64", meaning: "" } }, /Float64 where .* layer Int32/],
    ["a column less", { layer: heads.columns.layer }, /has nothing where its declaration has role/],
    ["a column more", { ...heads.columns, n: { kind: "int32", meaning: "" } }, /has n Int32, which is not declared/],
    ["another order", { role: heads.columns.role, layer: heads.columns.layer }, /has role .* where .* layer/],
    [
      "missing values that are not declared",
      { ...heads.columns, layer: { kind: "int32", meaning: "", optional: true } },
      /has layer Int32 or missing where its declaration has layer Int32/,
    ],
  ] as const)("a schema with %s", (_, declared, sentence) => {
    expect(() => checkStream(encoded(table("heads", "", declared), []), "heads", heads)).toThrow(sentence);
  });
});
