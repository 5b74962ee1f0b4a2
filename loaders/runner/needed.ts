/** Which results the store must keep, whatever its size. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { resultsFolder } from "../project.js";
import { CorruptResult, openResult } from "../store/result.js";
import { absent } from "../store/system.js";

/** The keys of the committed results, and those given. */
export async function neededKeys(others: readonly string[]): Promise<Set<string>> {
  const names = (await readdir(resultsFolder).catch(absent)) ?? [];
  const committed = await Promise.all(names.map((name) => openResult(join(resultsFolder, name)).catch(ignoreCorrupt)));
  return new Set([...others, ...committed.flatMap((result) => result?.passport.key ?? [])]);
}

function ignoreCorrupt(error: unknown): undefined {
  if (!(error instanceof CorruptResult)) throw error;
  return undefined;
}
