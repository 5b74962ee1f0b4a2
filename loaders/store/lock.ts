/**
 * One holder at a time across processes, released by a crash: a lock is a file that names its process, and is stale
 * when that process is gone. Holders on other hosts of a shared file system cannot be asked, so they touch the file,
 * and are taken for dead when they have not for a while.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { absent, errorCode } from "./system.js";

const poll = 200; // ms
const heartbeat = 10_000; // ms
const silence = 300_000; // ms without a heartbeat after which a holder on another host counts as dead

interface Holder {
  readonly host: string;
  readonly process: number;
  /** Distinguishes the process from a later one with its number. */
  readonly started: string;
  readonly token: string;
}

export interface LockOptions {
  readonly signal?: AbortSignal;
  /** Called once when somebody else holds the lock. */
  readonly onWait?: () => void;
}

export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  { signal, onWait }: LockOptions = {},
): Promise<T> {
  const release = await acquire(file, signal, onWait);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function acquire(file: string, signal?: AbortSignal, onWait?: () => void): Promise<() => Promise<void>> {
  const own: Holder = {
    host: hostname(),
    process: process.pid,
    started: (await startOf(process.pid)) ?? "",
    token: randomUUID(),
  };
  await mkdir(dirname(file), { recursive: true });
  for (let waited = false; !(await create(file, own)); ) {
    signal?.throwIfAborted();
    if (await breakStale(file, own)) continue;
    if (!waited) onWait?.();
    waited = true;
    await sleep(poll, undefined, { signal });
  }
  const beat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => clearInterval(beat)), heartbeat);
  beat.unref();
  return async () => {
    clearInterval(beat);
    if ((await read(file))?.token === own.token) await rm(file, { force: true });
  };
}

/** Linked into place whole, so that nobody ever reads half a lock. */
async function create(file: string, holder: Holder): Promise<boolean> {
  const draft = `${file}.${holder.token}`;
  try {
    await writeFile(draft, JSON.stringify(holder));
    await link(draft, file);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Whether a live process holds the lock. */
export async function isLocked(file: string): Promise<boolean> {
  const holder = await read(file);
  return holder !== undefined && !(await isStale(file, holder));
}

async function read(file: string): Promise<Holder | undefined> {
  const text = await readFile(file, "utf8").catch(absent);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return nobody; // only a power cut leaves such a file
  }
}

const nobody: Holder = { host: hostname(), process: 0, started: "never", token: "" };

async function isStale(file: string, holder: Holder): Promise<boolean> {
  if (holder.host === hostname()) return (await startOf(holder.process)) !== holder.started;
  const beaten = await stat(file).catch(absent);
  return beaten !== undefined && Date.now() - beaten.mtimeMs > silence;
}

/** Takes a stale lock away: one at a time does, because a second could take away what has been locked since. */
async function breakStale(file: string, own: Holder): Promise<boolean> {
  const holder = await read(file);
  if (holder === undefined) return true;
  if (!(await isStale(file, holder))) return false;
  const breaking = `${file}.breaking`;
  if (!(await create(breaking, own))) {
    await breakStale(breaking, own); // of who was killed in between
    return false;
  }
  try {
    if ((await read(file))?.token === holder.token) await rm(file, { force: true });
  } finally {
    await rm(breaking, { force: true });
  }
  return true;
}

/** When a process started, in whatever unit the system counts; undefined where there is no such process. */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
    const fields = status?.slice(status.lastIndexOf(")") + 2).split(" "); // the name before it may hold anything
    return fields && fields[0] !== "Z" ? fields[19] : undefined;
  }
  const answer = await promisify(execFile)("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => undefined);
  return answer?.stdout.trim() || undefined;
}
