/**
 * The results that a build publishes, as Framework finds them: as outputs of the data loader in its cache. Framework
 * would take any cached output for fresh, so only fresh ones are put there, and all others are removed.
 */
import { readdir, readFile, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { siteCache, siteSource } from "../project.js";
import { withMetadata } from "../runner/encoder.js";
import { checkStream } from "../runner/gate.js";
import { sha256 } from "../store/hash.js";
import type { Result } from "../store/result.js";
import { absent, writeFlushed } from "../store/system.js";

const cache = join(siteCache, "data");

/** A result as a site publishes it. */
export interface Published {
  readonly result: Result;
  /** What has changed since it was computed, where it is published nevertheless. */
  readonly stale?: string;
}

/**
 * Puts a file where Framework has outputs of data loaders, dated so that equal data make equal pages: it writes the dates
 * of files into them.
 */
export async function cacheData(name: string, bytes: Uint8Array, date = new Date(0)): Promise<void> {
  const file = join(cache, name);
  await writeFlushed(file, bytes);
  await utimes(file, date, date);
}

/** A table as pages get it: with the whole passport in its schema, and in it whether the result is stale. */
export async function servedTable({ result, stale }: Published, name: string): Promise<Uint8Array> {
  const bytes = await result.table(name);
  checkStream(bytes, `table ${name} of ${result.passport.experiment}`); // a committed one may come from anywhere
  return withMetadata(bytes, new Map([["passport", JSON.stringify({ ...result.passport, stale })]]));
}

/** Every table of these results and nothing else. */
export async function fillCache(results: readonly Published[]): Promise<void> {
  await rm(cache, { recursive: true, force: true });
  for (const published of results) {
    const { result } = published;
    const date = new Date(result.passport.date);
    for (const name of Object.keys(result.passport.tables)) {
      await cacheData(`${result.passport.experiment}/${name}.arrow`, await servedTable(published, name), date);
    }
  }
}

/** The data files of a built site that are not tables of these results: another process has touched the cache. */
export async function foreignData(site: string, results: readonly Published[]): Promise<string[]> {
  const folder = join(site, "_file/data");
  const own = new Set<string>();
  for (const published of results) {
    for (const name of Object.keys(published.result.passport.tables)) {
      own.add(sha256(await servedTable(published, name)));
    }
  }
  const files = (await readdir(folder, { recursive: true }).catch(absent)) ?? [];
  const tables = files.filter((file) => /.\/.*\.arrow$/.test(file));
  const hashes = await Promise.all(tables.map(async (file) => sha256(await readFile(join(folder, file)))));
  return tables.filter((_, i) => !own.has(hashes[i]));
}

/** The experiments that pages attach results of. @throws {UserError} where there is no such experiment */
export async function attachedExperiments(known: readonly string[]): Promise<string[]> {
  const attached = new Set<string>();
  for (const page of await pages(siteSource)) {
    for (const [, experiment, table] of (await readFile(page, "utf8")).matchAll(attachment)) {
      if (!known.includes(experiment)) throw new UserError(messages.unknownData(page, experiment, table, known));
      attached.add(experiment);
    }
  }
  return [...attached].sort();
}

/** Framework itself demands that the path is written out. */
const attachment = /FileAttachment\(\s*["'`](?:\.?\/)?data\/([\w-]+)\/([\w-]+)\.arrow["'`]/g;

async function pages(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
    .map(({ parentPath, name }) => join(parentPath, name));
}
