/** Keeps the store within a size: what has not been used for longest goes first, and nothing that is needed. */
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isLocked, withLock } from "./lock.js";
import { absent } from "./system.js";

/** What the store may take before runs begin to make room, in bytes. */
export const defaultBound = 10 * 2 ** 30;

/** Within so many milliseconds a result was used of late: some process that is at work may need it again. */
export const recent = 7 * 24 * 3600 * 1000;

export interface Collected {
  /** Keys of the results that were dropped. */
  readonly dropped: readonly string[];
  /** Bytes that became free, and bytes that are still taken. */
  readonly freed: number;
  readonly kept: number;
}

interface Entry {
  readonly key: string;
  readonly bytes: number;
  /** When it was last handed out, in milliseconds since 1970. */
  readonly used: number;
}

export interface CollectOptions {
  readonly results: string;
  /** The lock of a key. */
  readonly lock: (key: string) => string;
  readonly bound: number;
  /** Keys of results that must stay; asked for where there is something to drop. */
  readonly needed: () => Promise<ReadonlySet<string>>;
  /** Results that were used within so many milliseconds stay, too. */
  readonly grace: number;
}

/** Drops results until the others fit into the bound, or all that are left are needed, used or being computed. */
export async function collect({ results, lock, bound, needed, grace }: CollectOptions): Promise<Collected> {
  const entries = (await entriesOf(results)).sort((a, b) => a.used - b.used);
  let kept = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  let freed = 0;
  const dropped: string[] = [];
  if (kept <= bound) return { dropped, freed, kept };
  const stays = await needed();
  for (const { key, bytes, used } of entries) {
    if (kept <= bound) break;
    if (stays.has(key) || used > Date.now() - grace || (await isLocked(lock(key)))) continue;
    const isGone = await withLock(lock(key), () => drop(join(results, key), used));
    if (!isGone) continue;
    dropped.push(key);
    kept -= bytes;
    freed += bytes;
  }
  return { dropped, freed, kept };
}

async function entriesOf(results: string): Promise<Entry[]> {
  const names = ((await readdir(results).catch(absent)) ?? []).filter((name) => !name.includes("."));
  return Promise.all(
    names.map(async (key) => {
      const folder = join(results, key);
      const files = (await readdir(folder).catch(absent)) ?? [];
      const found = await Promise.all([...files.map((file) => join(folder, file)), folder].map(statOf));
      return {
        key,
        bytes: found.slice(0, -1).reduce((sum, file) => sum + (file?.size ?? 0), 0),
        used: found.at(-1)?.mtimeMs ?? 0,
      };
    }),
  );
}

const statOf = (path: string) => stat(path).catch(absent);

/** By way of a name that is swept away when this process is killed in between. One that was just used stays. */
async function drop(folder: string, used: number): Promise<boolean> {
  if ((await statOf(folder))?.mtimeMs !== used) return false;
  const draft = `${folder}.old.tmp`;
  await rm(draft, { recursive: true, force: true });
  await rename(folder, draft).catch(absent);
  await rm(draft, { recursive: true, force: true });
  return true;
}
