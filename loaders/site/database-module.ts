/**
 * DuckDB's WebAssembly module as pages and builds load it: without what only extensions need, which we forbid. Of its
 * 75,000 exports 72,000 are C++ functions and objects for extensions to link to; for each, whoever starts the database
 * makes an object and a place in a table, which takes most of the time.
 */
import { access, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { workFolder } from "../project.js";
import { sha256 } from "../store/hash.js";
import { absent, replaceFile } from "../store/system.js";
import { withExports } from "./wasm-exports.js";

const require = createRequire(import.meta.url);

/** As C++ compilers write them; some are there a second time, as they were before a conversion of their numbers. */
const isCppName = (name: string) => /^(orig\$)?_Z/.test(name);

const whole = require.resolve("@duckdb/duckdb-wasm/dist/duckdb-eh.wasm");

async function databaseModule(): Promise<Uint8Array> {
  return withExports(await readFile(whole), (name) => !isCppName(name));
}

/** Where it is, made once from the same package with the same code: to read and rewrite it costs a second. */
async function kept(ending: string, make: (wasm: Uint8Array) => Uint8Array | Promise<Uint8Array>): Promise<string> {
  const here = fileURLToPath(import.meta.url);
  const code = [here, join(dirname(here), `wasm-exports${extname(here)}`)];
  const sources = [join(dirname(whole), "../package.json"), ...code].map((path) => readFile(path, "utf8"));
  const key = sha256([(await stat(whole)).size, ...(await Promise.all(sources))].join("\0"));
  const file = join(workFolder, "database", `${key}.${ending}`);
  const isThere = await access(file).then(() => true, absent);
  if (!isThere) await replaceFile(file, await make(await databaseModule()));
  return file;
}

/** The module's path, for Node. */
export function databaseModuleFile(): Promise<string> {
  return kept("wasm", (wasm) => wasm);
}

/** The module small enough for every static host; the page inflates it. */
export async function compressedDatabaseModule(): Promise<Uint8Array> {
  return readFile(await kept("gzip", (wasm) => promisify(gzip)(wasm, { level: 9 })));
}
