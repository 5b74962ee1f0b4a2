/**
 * What pages draw and query with, each package in one file with what it needs, and in a few more what several need.
 * Framework would give a page one for each of their dependencies, some sixty, and ask for all of them on every page.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { root, siteCache } from "../project.js";
import { sha256 } from "../store/hash.js";
import { absent, replaceFile } from "../store/system.js";

const names = ["@duckdb/duckdb-wasm", "apache-arrow", "vega", "vega-interpreter", "vega-lite", "vega-tooltip"];

/** For which scripts are written, as Framework has it. */
export const browsers = ["es2022", "chrome96", "firefox96", "safari16"];

/** Where Framework looks before it bundles a package itself. */
const modules = join(siteCache, "_node");

/** Written when all of them are there: what they were made from. */
const note = join(siteCache, "libraries.txt");

/** Done once for what is installed. */
export async function cacheLibraries(): Promise<void> {
  const manifest = await readFile(join(root, "package.json"), "utf8");
  const lock = await readFile(join(root, "package-lock.json"), "utf8").catch(absent);
  const made = sha256([manifest, lock, await readFile(fileURLToPath(import.meta.url), "utf8")].join("\0"));
  if ((await readFile(note, "utf8").catch(absent)) === made) return;
  const { dependencies }: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(manifest);
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: names.map((name) => ({ in: name, out: `${name}@${dependencies[name]}/index` })),
    outdir: modules,
    chunkNames: "shared/[hash]",
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: browsers,
    define: { "process.env.NODE_ENV": '"production"' },
    write: false,
    logLevel: "silent",
  });
  for (const { path, contents } of outputFiles) await replaceFile(path, contents);
  await replaceFile(note, made);
}
