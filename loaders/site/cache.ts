/**
 * The results that pages read, as Framework finds them: as outputs of the data loader in its cache. Framework would
 * take any cached output for fresh, so only fresh ones are put there, and all others are removed.
 */
import { readdir, readFile, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../engine/errors.js";
import { withMetadata } from "../encoder.js";
import { messages } from "../messages.js";
import { root, siteCache, siteSource } from "../project.js";
import type { Result } from "../store/result.js";
import { writeFlushed } from "../store/system.js";

const cache = join(siteCache, "data");
const loader = join(root, "loaders/[experiment]/[table].arrow.ts");

export async function emptyCache(): Promise<void> {
  await rm(cache, { recursive: true, force: true });
}

/** A table as pages get it: with the whole passport in its schema. */
export async function servedTable(result: Result, name: string): Promise<Uint8Array> {
  return withMetadata(await result.table(name), new Map([["passport", JSON.stringify(result.passport)]]));
}

/** Every table of a result, dated so that equal results make equal pages. */
export async function cacheResult(result: Result, date: Date): Promise<void> {
  const { experiment, tables } = result.passport;
  for (const name of Object.keys(tables)) {
    const file = join(cache, experiment, `${name}.arrow`);
    await writeFlushed(`${file}.tmp`, await servedTable(result, name));
    await utimes(`${file}.tmp`, date, date);
    await rename(`${file}.tmp`, file);
  }
}

/** Makes Framework tell open pages to fetch their data again; whatever is cached counts as older than this. */
export async function announceChange(): Promise<void> {
  await utimes(loader, new Date(), new Date());
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
