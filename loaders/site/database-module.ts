/** DuckDB's WebAssembly module, compressed, so that it is small enough for every static host; the page inflates it. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { workFolder } from "../project.js";
import { sha256 } from "../store/hash.js";
import { absent, replaceFile } from "../store/system.js";

/** Compressing takes longer than reading: it is done once for each content of the module. */
export async function databaseModule(): Promise<Uint8Array> {
  const file = createRequire(import.meta.url).resolve("@duckdb/duckdb-wasm/dist/duckdb-eh.wasm");
  const wasm = await readFile(file);
  const kept = join(workFolder, "compressed", `${sha256(wasm)}.gzip`);
  const known = await readFile(kept).catch(absent);
  if (known) return known;
  const compressed = await promisify(gzip)(wasm, { level: 9 });
  await replaceFile(kept, compressed);
  return compressed;
}
