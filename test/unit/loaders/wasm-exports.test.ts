/** A module with fewer exports is the same module otherwise; DuckDB's keeps what its own code needs. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { databaseModuleFile } from "../../../loaders/site/database-module.js";
import { withExports } from "../../../loaders/site/wasm-exports.js";

/** (module (func (export "one") (result i32) i32.const 1) (func (export "two") (result i32) i32.const 2)) */
const small = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // preamble
  ...[1, 5, 1, 0x60, 0, 1, 0x7f], // types
  ...[3, 3, 2, 0, 0], // functions
  ...[7, 13, 2, 3, 0x6f, 0x6e, 0x65, 0, 0, 3, 0x74, 0x77, 0x6f, 0, 1], // exports
  ...[10, 11, 2, 4, 0, 0x41, 1, 0x0b, 4, 0, 0x41, 2, 0x0b], // code
]);

test("exports that are not wanted are gone, and the others do what they did", () => {
  const module = new WebAssembly.Module(Buffer.from(withExports(small, (name) => name === "two")));
  const instance = new WebAssembly.Instance(module);
  expect(Object.keys(instance.exports)).toEqual(["two"]);
  const { two } = instance.exports;
  expect(typeof two === "function" && two()).toBe(2);
  expect(withExports(small, () => true)).toEqual(Buffer.from(small));
});

test("a module that was cut off is refused", () => {
  for (const end of [9, 21, small.length - 1]) {
    expect(() => withExports(small.subarray(0, end), () => true), `${end} bytes`).toThrow(
      "ends before its sections do",
    );
  }
});

test("of the database's exports those are left that its own imports and the code around it name", async () => {
  const { resolve } = createRequire(import.meta.url);
  const compile = async (file: string) => WebAssembly.compile(await readFile(file));
  const whole = await compile(resolve("@duckdb/duckdb-wasm/dist/duckdb-eh.wasm"));
  const slim = await compile(await databaseModuleFile());
  const exports = (module: WebAssembly.Module) => new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const [before, after] = [exports(whole), exports(slim)];
  expect(after.size).toBeLessThan(before.size / 20);
  const code = await readFile(resolve("@duckdb/duckdb-wasm/dist/duckdb-browser-eh.worker.js"), "utf8");
  const named = new Set([
    ...WebAssembly.Module.imports(whole).map(({ name }) => name),
    ...(code.match(/[\w$]+/g) ?? []),
  ]);
  const needed = [...before].filter((name) => named.has(name));
  expect(needed.length).toBeGreaterThan(100);
  expect(needed.filter((name) => !after.has(name))).toEqual([]);
});
