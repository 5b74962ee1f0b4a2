/** Results under their keys. Nothing half-written, nothing computed twice at once, nothing corrupt handed out. */

import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { messages } from "../messages.js";
import { type Collected, collect } from "./collect.js";
import { Failures } from "./failures.js";
import { isLocked, type LockOptions, withLock } from "./lock.js";
import type { Passport } from "./passport.js";
import { CorruptResult, openResult, type Result, writeResult } from "./result.js";
import { absent } from "./system.js";

function skipCorrupt(error: unknown): undefined {
  if (!(error instanceof CorruptResult)) throw error;
  return undefined;
}

/** What else lies there is a draft, or somebody else's. */
const isKey = /^[0-9a-f]{64}$/;

/** Systems let a process have a thousand files open, or fewer. */
const openAtOnce = 64;

/** What the names of locks begin with that keep the collector off. */
const inUse = "in-use-";

/** For the collector: this result was used now. A result that is being replaced or dropped needs no date. */
async function touch(folder: string): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now).catch(absent);
}

export class Store {
  readonly #results: string;
  readonly #locks: string;
  readonly #corrupt: string;
  readonly #warn: (message: string) => void;

  readonly failures: Failures;

  constructor(folder: string, warn: (message: string) => void) {
    this.#results = join(folder, "store");
    this.#locks = join(folder, "locks");
    this.#corrupt = join(folder, "corrupt");
    this.#warn = warn;
    this.failures = new Failures(folder);
  }

  /** The result of that key, checked byte by byte. A corrupt one is set aside, which is said, and counts as missing. */
  async get(key: string): Promise<Result | undefined> {
    const folder = join(this.#results, key);
    try {
      // One that was replaced while it was read looks corrupt, once.
      const result = await this.#sound(key).catch((error) => skipCorrupt(error) ?? this.#sound(key));
      if (result) await touch(folder);
      return result;
    } catch (error) {
      if (!(error instanceof CorruptResult)) throw error;
      await this.#setAside(folder, key, error.message);
      return undefined;
    }
  }

  async #sound(key: string): Promise<Result | undefined> {
    const result = await this.#open(key);
    await result?.verify();
    return result;
  }

  /** Throws CorruptResult where what lies under the key is the result of another. */
  async #open(key: string): Promise<Result | undefined> {
    const folder = join(this.#results, key);
    const result = await openResult(folder);
    if (result && result.passport.key !== key) throw new CorruptResult(messages.otherKey(folder));
    return result;
  }

  async #setAside(folder: string, key: string, what: string): Promise<void> {
    const aside = join(this.#corrupt, key);
    await rm(aside, { recursive: true, force: true });
    await mkdir(this.#corrupt, { recursive: true });
    const moved = await rename(folder, aside).then(
      () => true,
      (error) => absent(error) !== undefined, // another process was faster, or has just dropped it
    );
    if (moved) this.#warn(messages.setAside(what, aside));
  }

  /** What was stored about each result, unchecked and without the corrupt ones: for lists, not for numbers. */
  async list(): Promise<Result[]> {
    const keys = ((await readdir(this.#results).catch(absent)) ?? []).filter((name) => isKey.test(name));
    const results: Result[] = [];
    for (let i = 0; i < keys.length; i += openAtOnce) {
      const some = keys.slice(i, i + openAtOnce).map((key) => this.#open(key).catch(skipCorrupt));
      results.push(...(await Promise.all(some)).filter((result) => result !== undefined));
    }
    return results;
  }

  isComputing(key: string): Promise<boolean> {
    return isLocked(this.#lock(key));
  }

  #lock(key: string): string {
    return join(this.#locks, `${key}.lock`);
  }

  /**
   * The result of that key, computed unless it is there. Of several processes that ask at once, one computes and the
   * others wait for it; when it dies, the next takes over.
   */
  async compute(
    key: string,
    work: () => Promise<{ passport: Passport; tables: ReadonlyMap<string, Uint8Array> }>,
    { again = false, ...options }: LockOptions & { readonly again?: boolean } = {},
  ): Promise<Result> {
    return withLock(
      this.#lock(key),
      async () => {
        const stored = again ? undefined : await this.get(key);
        if (stored) return stored;
        const { passport, tables } = await work();
        return writeResult(join(this.#results, key), passport, tables);
      },
      options,
    );
  }

  /** Forgets the corrupt results that were set aside. */
  async discardCorrupt(): Promise<void> {
    await rm(this.#corrupt, { recursive: true, force: true });
  }

  /** Does what needs results of this store to stay: the collector then keeps what was used of late. */
  whileInUse<T>(work: () => Promise<T>): Promise<T> {
    return withLock(join(this.#locks, `${inUse}${randomUUID()}.lock`), work);
  }

  /** Whether a process is at work with results of this store. */
  async isInUse(): Promise<boolean> {
    const names = ((await readdir(this.#locks).catch(absent)) ?? []).filter((name) => name.startsWith(inUse));
    const held = await Promise.all(
      names.filter((name) => name.endsWith(".lock")).map((name) => isLocked(join(this.#locks, name))),
    );
    return held.includes(true);
  }

  /** Makes room: drops what was not used for longest, but nothing in `needed` and nothing that is being computed. */
  async collect(bound: number, needed: () => Promise<ReadonlySet<string>>, grace: number): Promise<Collected> {
    return collect({ results: this.#results, lock: (key) => this.#lock(key), bound, needed, grace });
  }

  /** Removes what a killed process left half-written. */
  async sweep(): Promise<void> {
    for (const name of (await readdir(this.#results).catch(absent)) ?? []) {
      const [, key] = /^([^.]+)(?:\.old)?\.tmp$/.exec(name) ?? [];
      if (key === undefined || (await this.isComputing(key))) continue;
      await withLock(this.#lock(key), () => rm(join(this.#results, name), { recursive: true, force: true }));
    }
  }
}
