import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sha256 } from "../../../loaders/store/hash.js";
import { type KeyParts, keyOf } from "../../../loaders/store/key.js";
import { isLocked, withLock } from "../../../loaders/store/lock.js";
import type { Passport } from "../../../loaders/store/passport.js";
import { CorruptResult, openResult, writeResult } from "../../../loaders/store/result.js";
import { Store } from "../../../loaders/store/store.js";
import { replaceFile } from "../../../loaders/store/system.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "store-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const keyParts: KeyParts = { experiment: "trial", code: "c0de", packages: {}, parameters: { n: 1 }, inputs: {} };
const key = keyOf(keyParts);
const bytes = new TextEncoder().encode("not really Arrow");

const passport: Passport = {
  key,
  keyParts,
  sources: {},
  experiment: "trial",
  title: "Trial",
  question: "?",
  parameters: { n: 1 },
  inputs: {},
  machine: {},
  versions: {},
  date: "2026-01-01T00:00:00.000Z",
  seconds: 1,
  peakMemoryBytes: 1,
  tables: { rows: { rows: 1, bytes: bytes.length, sha256: sha256(bytes) } },
};
const produced = { passport, tables: new Map([["rows", bytes]]) };

describe("a result", () => {
  test("is read as it was written", async () => {
    const target = join(folder, "trial");
    await writeResult(target, passport, produced.tables);
    const result = await openResult(target);
    expect(result?.passport).toEqual(passport);
    expect(await result?.table("rows")).toEqual(Buffer.from(bytes));
    expect(readdirSync(folder)).toEqual(["trial"]);
  });

  test("replaces an older one, and what a crash left beside it", async () => {
    const target = join(folder, "trial");
    mkdirSync(`${target}.tmp`);
    writeFileSync(join(`${target}.tmp`, "half.arrow"), "half");
    await writeResult(target, { ...passport, title: "Older" }, new Map([...produced.tables, ["more", bytes]]));
    await writeResult(target, passport, produced.tables);
    expect((await openResult(target))?.passport.title).toBe("Trial");
    expect(readdirSync(target).sort()).toEqual(["passport.json", "rows.arrow"]);
    expect(readdirSync(folder)).toEqual(["trial"]);
  });

  test.each([
    ["a table with other bytes", (target: string) => appendFileSync(join(target, "rows.arrow"), "!")],
    ["a table that is gone", (target: string) => rmSync(join(target, "rows.arrow"))],
  ])("is corrupt with %s", async (_, spoil) => {
    const target = join(folder, "trial");
    await writeResult(target, passport, produced.tables);
    spoil(target);
    const result = await openResult(target);
    await expect(result?.verify()).rejects.toThrow(CorruptResult);
  });

  test.each([
    ["cut off", (text: string) => text.slice(0, -20)],
    ["with parts that are not those of its key", (text: string) => text.replace('"c0de"', '"c1de"')],
    ["without tables", (text: string) => JSON.stringify({ ...JSON.parse(text), tables: undefined })],
  ])("is corrupt with a passport %s", async (_, spoil) => {
    const target = join(folder, "trial");
    await writeResult(target, passport, produced.tables);
    const file = join(target, "passport.json");
    writeFileSync(file, spoil(readFileSync(file, "utf8")));
    await expect(openResult(target)).rejects.toThrow(/passport\.json is not a passport/);
  });
});

describe("the store", () => {
  const said: string[] = [];
  const open = () => new Store(folder, (message) => said.push(message));
  beforeEach(() => said.splice(0));

  test("computes a missing result once, and then hands it out", async () => {
    let runs = 0;
    const work = async () => {
      ++runs;
      return produced;
    };
    expect(await open().get(key)).toBeUndefined();
    await open().compute(key, work);
    await open().compute(key, work);
    expect(runs).toBe(1);
    expect((await open().get(key))?.passport).toEqual(passport);
    await open().compute(key, work, { again: true });
    expect(runs).toBe(2);
  });

  test("computes once for all who ask at the same time", async () => {
    let runs = 0;
    let waits = 0;
    const work = async () => {
      ++runs;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return produced;
    };
    const ask = () => open().compute(key, work, { onWait: () => ++waits });
    const results = await Promise.all([ask(), ask(), ask()]);
    expect(runs).toBe(1);
    expect(waits).toBe(2);
    expect(results.map(({ passport: { key } }) => key)).toEqual([key, key, key]);
    expect(await open().isComputing(key)).toBe(false);
  });

  test("keeps nothing of work that fails, and lets the next try", async () => {
    await expect(open().compute(key, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await open().get(key)).toBeUndefined();
    expect((await open().compute(key, async () => produced)).passport.key).toBe(key);
  });

  test("sets a corrupt result aside, says so, and computes it again", async () => {
    await open().compute(key, async () => produced);
    appendFileSync(join(folder, "store", key, "rows.arrow"), "!");
    const result = await open().compute(key, async () => produced);
    expect(said).toEqual([
      expect.stringMatching(/^A stored result was corrupt .*rows\.arrow is not what its passport says/),
    ]);
    await result.verify();
    expect(existsSync(join(folder, "corrupt", key, "rows.arrow"))).toBe(true);
  });

  test("sets aside what lies under another key than its own", async () => {
    await open().compute(key, async () => produced);
    const other = "0".repeat(64);
    cpSync(join(folder, "store", key), join(folder, "store", other), { recursive: true });
    expect(await open().get(other)).toBeUndefined();
    expect(said).toEqual([
      expect.stringMatching(/^A stored result was corrupt .*0000 holds the result of another key/),
    ]);
    expect((await open().get(key))?.passport).toEqual(passport);
  });

  test("takes a result that is replaced while it is read for what it is", async () => {
    const versions = [1, 2].map((n) => {
      const rows = new Uint8Array(200_000).fill(n);
      const tables = { rows: { rows: 1, bytes: rows.length, sha256: sha256(rows) } };
      return { passport: { ...passport, tables }, tables: new Map([["rows", rows]]) };
    });
    await open().compute(key, async () => versions[0]);
    let done = false;
    const replacing = (async () => {
      for (let i = 0; i < 40; ++i) await open().compute(key, async () => versions[i % 2], { again: true });
      done = true;
    })();
    while (!done) await open().get(key);
    await replacing;
    expect(said).toEqual([]);
  });

  test("lists results, however many there are, and nothing else", async () => {
    await open().compute(key, async () => produced);
    writeFileSync(join(folder, "store/.DS_Store"), "");
    mkdirSync(join(folder, "store/lost+found"));
    cpSync(join(folder, "store", key), join(folder, `store/${key}.tmp`), { recursive: true });
    cpSync(join(folder, "store", key), join(folder, "store", "0".repeat(64)), { recursive: true });
    expect((await open().list()).map((result) => result.folder)).toEqual([join(folder, "store", key)]);
    expect(await openResult(join(folder, "store/.DS_Store"))).toBeUndefined();
    await open().sweep();
    expect(readdirSync(join(folder, "store")).sort()).toEqual([".DS_Store", "0".repeat(64), key, "lost+found"].sort());
  });

  test("sweeps away what a killed process left, and no more", async () => {
    await open().compute(key, async () => produced);
    mkdirSync(join(folder, "store/0123.tmp"));
    mkdirSync(join(folder, `store/${key}.old.tmp`));
    await open().sweep();
    expect(readdirSync(join(folder, "store"))).toEqual([key]);
  });
});

describe("the collector", () => {
  /** A result of 1,000 bytes and its passport, last used so many minutes ago. */
  async function put(n: number, minutes: number): Promise<string> {
    const parts = { ...keyParts, parameters: { n } };
    const rows = new Uint8Array(1000).fill(n);
    const tables = { rows: { rows: 1, bytes: rows.length, sha256: sha256(rows) } };
    const store = new Store(folder, () => {});
    const { passport: made } = await store.compute(keyOf(parts), async () => ({
      passport: { ...passport, key: keyOf(parts), keyParts: parts, tables },
      tables: new Map([["rows", rows]]),
    }));
    const date = new Date(Date.now() - minutes * 60_000);
    utimesSync(join(folder, "store", made.key), date, date);
    return made.key;
  }
  const hour = 3600_000;
  const kept = () => readdirSync(join(folder, "store")).sort();
  const collect = (bound: number, needed: readonly string[] = [], grace = 0) =>
    new Store(folder, () => {}).collect(bound, async () => new Set(needed), grace);

  test("drops what was not used for longest, until the rest fits", async () => {
    const [old, middle, young] = [await put(1, 30), await put(2, 20), await put(3, 10)];
    const all = (await collect(1e9)).kept;
    expect(kept()).toHaveLength(3);
    const { dropped, freed, kept: left } = await collect(all - 1);
    expect(dropped).toEqual([old]);
    expect(freed + left).toBe(all);
    expect(kept()).toEqual([middle, young].sort());
    await new Store(folder, () => {}).get(middle); // used again
    expect((await collect(left - 1)).dropped).toEqual([young]);
  });

  test("never drops what is needed, used of late, or being computed", async () => {
    const [needed, late, computed, other] = [await put(1, 300), await put(2, 1), await put(3, 300), await put(4, 300)];
    let end = () => {};
    const again = new Store(folder, () => {}).compute(
      computed,
      () => new Promise((_, reject) => (end = () => reject(new Error("stopped")))),
      { again: true },
    );
    await expect.poll(() => new Store(folder, () => {}).isComputing(computed)).toBe(true);
    expect((await collect(0, [needed], hour)).dropped).toEqual([other]);
    expect(kept()).toEqual([needed, late, computed].sort());
    end();
    await expect(again).rejects.toThrow("stopped");
  });

  test("can ask whether somebody is at work with results", async () => {
    const store = new Store(folder, () => {});
    expect(await store.isInUse()).toBe(false);
    await store.whileInUse(async () => expect(await store.isInUse()).toBe(true));
    expect(await store.isInUse()).toBe(false);
  });

  test("frees nothing of an empty store", async () => {
    expect(await collect(0)).toEqual({ dropped: [], freed: 0, kept: 0 });
  });
});

test("a file that cannot be replaced leaves nothing beside it", async () => {
  mkdirSync(join(folder, "taken/by-another"), { recursive: true });
  await expect(replaceFile(join(folder, "taken"), "text")).rejects.toThrow();
  expect(readdirSync(folder)).toEqual(["taken"]);
});

describe("a failure", () => {
  const failure = { message: "no", badInput: false, log: ["a last word"] };

  test("is remembered under its key until it is forgotten", async () => {
    const { failures } = new Store(folder, () => {});
    expect(await failures.last(key)).toBeUndefined();
    await failures.remember(key, failure);
    expect(await failures.last(key)).toEqual(failure);
    expect(await failures.last("other")).toBeUndefined();
    await failures.forget(key);
    expect(await failures.last(key)).toBeUndefined();
  });
});

describe("a lock", () => {
  test("is waited for, and can be given up", async () => {
    const file = join(folder, "trial.lock");
    await withLock(file, async () => {
      expect(await isLocked(file)).toBe(true);
      const signal = AbortSignal.timeout(300);
      await expect(withLock(file, async () => {}, { signal })).rejects.toThrow();
    });
    expect(await isLocked(file)).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of a process that was killed is free", async () => {
    const file = join(folder, "trial.lock");
    const module = new URL("../../../loaders/store/lock.ts", import.meta.url).href;
    const script = `const { withLock } = await import(${JSON.stringify(module)});
      await withLock(${JSON.stringify(file)}, () => new Promise(() => { console.log("held"); setInterval(() => {}, 1000); }));`;
    const holder = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", script]);
    await once(holder.stdout, "data");
    expect(await isLocked(file)).toBe(true);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    expect(await isLocked(file)).toBe(false);
    expect(await withLock(file, async () => "mine")).toBe("mine");
  });

  test("that names a later process with the same number, or nothing, is free", async () => {
    const file = join(folder, "trial.lock");
    await withLock(file, async () => {
      const holder = JSON.parse(readFileSync(file, "utf8"));
      writeFileSync(file, JSON.stringify({ ...holder, started: "long ago" }));
      expect(await isLocked(file)).toBe(false);
      writeFileSync(file, "");
      expect(await isLocked(file)).toBe(false);
    });
  });

  test.each([
    ["", 0],
    [", on a disk that answers late", 40],
  ])("is broken by one of many who find it stale%s", async (_, delay) => {
    const file = join(folder, "trial.lock");
    for (const left of [file, `${file}.breaking`]) writeFileSync(left, ""); // of who was killed while breaking it
    const { rename, rm } = promises;
    const late =
      <A extends unknown[]>(work: (...args: A) => Promise<void>) =>
      (...args: A) =>
        sleep(delay * Math.random()).then(() => work(...args));
    Object.assign(promises, { rename: late(rename), rm: late(rm) });
    syncBuiltinESMExports();
    try {
      let inside = 0;
      let most = 0;
      const visit = () =>
        withLock(file, async () => {
          most = Math.max(most, ++inside);
          await sleep(delay);
          --inside;
        });
      await Promise.all(Array.from({ length: 10 }, visit));
      expect(most).toBe(1);
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      Object.assign(promises, { rename, rm });
      syncBuiltinESMExports();
    }
  });
});
