import { tableFromIPC } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { Encoder, withMetadata } from "../../../loaders/runner/encoder.js";
import { table } from "../../../loaders/table.js";
import { openDuckDb } from "./duckdb.js";

const heads = table("heads", "What heads do.", {
  layer: { kind: "int32", meaning: "the layer" },
  entropy: { kind: "float64", meaning: "mean row entropy", unit: "nats" },
  mass: { kind: "float32", meaning: "mass on the first token", optional: true },
  role: { kind: "text", meaning: "what it is" },
  group: { kind: "text", meaning: "where it belongs", optional: true },
  sink: { kind: "flag", meaning: "whether it sinks" },
});

const row = { layer: 1, entropy: 0.5, mass: 0.25, role: "induction", group: "a", sink: true };

function encode(rows: readonly Record<string, unknown>[], metadata = new Map([["key", "abc"]])): Uint8Array {
  const encoder = new Encoder("trial", heads);
  encoder.append(rows);
  return encoder.finish(metadata);
}

describe("the gate", () => {
  test.each([
    ["column layer, row 1: the value is not a 32-bit integer: 1.5", { layer: 1.5 }],
    ["column layer, row 1: the value is not a 32-bit integer: 2147483648", { layer: 2 ** 31 }],
    ["column layer, row 1: the value is not a 32-bit integer: 1", { layer: "1" }],
    ["column layer, row 1: the value is not a 32-bit integer: 1", { layer: 1n }],
    ["column entropy, row 1: the value is NaN: NaN", { entropy: Number.NaN }],
    ["column entropy, row 1: the value is not finite: Infinity", { entropy: Number.POSITIVE_INFINITY }],
    ["column entropy, row 1: the value is missing: null", { entropy: null }],
    ["column entropy, row 1: the value is missing: undefined", { entropy: undefined }],
    ["column entropy, row 1: the value is not a number: 0.5", { entropy: "0.5" }],
    ["column mass, row 1: the value is beyond float32: -Infinity", { mass: Number.NEGATIVE_INFINITY }],
    ["column mass, row 1: the value is beyond float32: 1e+39", { mass: 1e39 }],
    ["column mass, row 1: the value is not a number: true", { mass: true }],
    ["column role, row 1: the value is not text: 3", { role: 3 }],
    ["column sink, row 1: the value is neither true nor false: 1", { sink: 1 }],
    ["column heads, row 1: the value is not declared", { heads: 8 }],
  ])("refuses: %s", (sentence, wrong) => {
    expect(() => encode([row, { ...row, ...wrong }])).toThrow(`experiment trial, table heads, ${sentence}`);
  });

  test("lets missing values and NaN through where they are allowed, as missing", () => {
    const missing = [
      { ...row, mass: null },
      { ...row, mass: Number.NaN },
      { ...row, mass: undefined, group: null },
      row,
    ];
    const read = tableFromIPC(encode(missing));
    expect(read.toArray().map(({ mass }) => mass)).toEqual([null, null, null, 0.25]);
    expect(read.toArray().map(({ group }) => group)).toEqual(["a", "a", null, "a"]);
  });
});

describe("the stream", () => {
  test("ends with its marker, and says what its columns mean", () => {
    const stream = encode([row]);
    expect([...stream.subarray(-8)]).toEqual([255, 255, 255, 255, 0, 0, 0, 0]);
    const { schema } = tableFromIPC(stream);
    expect(Object.fromEntries(schema.metadata)).toEqual({ meaning: "What heads do.", key: "abc" });
    expect(Object.fromEntries(schema.fields[1].metadata)).toEqual({ meaning: "mean row entropy", unit: "nats" });
    expect(schema.fields.map(({ nullable }) => nullable)).toEqual([false, false, true, false, true, false]);
  });

  test("has equal bytes for equal rows, however they were batched", () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({ ...row, layer: i, role: `r${i % 7}`, sink: i % 3 === 0 }));
    const encoder = new Encoder("trial", heads);
    for (let i = 0; i < rows.length; i += 700) encoder.append(rows.slice(i, i + 700));
    expect(encoder.rows).toBe(3000);
    expect(encoder.finish(new Map([["key", "abc"]]))).toEqual(encode(rows));
  });

  test("keeps its data when its metadata is extended", () => {
    const rows = Array.from({ length: 100 }, (_, i) => ({ ...row, layer: i, group: i % 2 ? null : `g${i}` }));
    const passport = JSON.stringify({ question: "é".repeat(5000) });
    const extended = tableFromIPC(withMetadata(encode(rows), new Map([["passport", passport]])));
    expect(extended.schema.metadata.get("key")).toBe("abc");
    expect(extended.schema.metadata.get("passport")).toBe(passport);
    expect(extended.toArray().map((it) => it.toJSON())).toEqual(
      tableFromIPC(encode(rows))
        .toArray()
        .map((it) => it.toJSON()),
    );
  });

  test("is a table in DuckDB, dictionaries and missing values included", async () => {
    const database = await openDuckDb();
    const roles = ["sink", "induction", "sink", "previous token"];
    const rows = roles.map((role, i) => ({
      ...row,
      layer: i,
      role,
      mass: i === 1 ? null : i / 4,
      group: null,
      sink: i > 1,
    }));
    database.insert("heads", withMetadata(encode(rows), new Map([["passport", "{}"]])));
    expect(
      database.query(`SELECT role, count(*) AS n, count(mass) AS masses, min(layer) AS first, bool_or(sink) AS sink
      FROM heads GROUP BY role ORDER BY role`),
    ).toEqual([
      { role: "induction", n: 1, masses: 0, first: 1, sink: false },
      { role: "previous token", n: 1, masses: 1, first: 3, sink: true },
      { role: "sink", n: 2, masses: 2, first: 0, sink: true },
    ]);
    database.insert("empty", encode([]));
    expect(database.query("SELECT count(*) AS n, any_value(role) AS role FROM empty")).toEqual([{ n: 0, role: null }]);
  });
});
