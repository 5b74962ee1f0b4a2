/**
 * DuckDB's WebAssembly module as pages and builds load it: without what only extensions need, which we forbid. Of its
 * 75,000 exports 72,000 are C++ functions and objects for extensions to link to; for each, whoever starts the database
 * makes an object and a place in a table, which takes most of the time.
 */
import { access, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { workFolder } from "../project.js";
import { sha256 } from "../store/hash.js";
import { absent, replaceFile } from "../store/system.js";
import { withExports } from "./wasm-exports.js";

const require = createRequire(import.meta.url);

/** As C++ compilers write them; some are there a second time, as they were before a conversion of their numbers. */
const isCppName = (name: string) => /^(orig\$)?_Z/.test(name);

async function databaseModule(): Promise<Uint8Array> {
  const wasm = await readFile(require.resolve("@duckdb/duckdb-wasm/dist/duckdb-eh.wasm"));
  return withExports(wasm, (name) => !isCppName(name));
}

const kept = (name: string) => join(workFolder, "database", name);

/** The module's path, for Node. */
export async function databaseModuleFile(): Promise<string> {
  const wasm = await databaseModule();
  const file = kept(`${sha256(wasm)}.wasm`);
  const isThere = await access(file).then(() => true, absent);
  if (!isThere) await replaceFile(file, wasm);
  return file;
}

/**
 * The module small enough for every static host; the page inflates it. Compressing takes longer than reading: it is
 * done once for each content of the module.
 */
export async function compressedDatabaseModule(): Promise<Uint8Array> {
  const wasm = await databaseModule();
  const file = kept(`${sha256(wasm)}.gzip`);
  const known = await readFile(file).catch(absent);
  if (known) return known;
  const compressed = await promisify(gzip)(wasm, { level: 9 });
  await replaceFile(file, compressed);
  return compressed;
}
