/** DuckDB's WebAssembly module, compressed, so that it is small enough for every static host; the page inflates it. */

import { readFile, utimes } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { siteCache } from "../project.js";
import { writeFlushed } from "../store/system.js";

export async function databaseModule(): Promise<Uint8Array> {
  const wasm = createRequire(import.meta.url).resolve("@duckdb/duckdb-wasm/dist/duckdb-eh.wasm");
  return promisify(gzip)(await readFile(wasm), { level: 9 });
}

/** Dated so that equal modules make equal pages: Framework writes the dates of files into them. */
export async function cacheDatabaseModule(): Promise<void> {
  const file = join(siteCache, "data/duckdb.wasm.gzip");
  await writeFlushed(file, await databaseModule());
  await utimes(file, 0, 0);
}
