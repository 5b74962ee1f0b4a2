/** A model from the hub into the cache, at one commit: only what is needed to run it, and all of it or no snapshot. */
import { mkdir, readFile, rename, rm, stat, statfs, symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { readConfig } from "../../engine/checkpoint.js";
import { UserError } from "../../engine/errors.js";
import { fileSource } from "../files.js";
import { messages } from "../messages.js";
import { byteSize, meter } from "../meter.js";
import { withLock } from "../store/lock.js";
import { absent, errorCode, flushFolder, writeFlushed } from "../store/system.js";
import { Unavailable } from "../unavailable.js";
import { repositoryPaths } from "./cache.js";
import { Connection } from "./connection.js";
import { blobPath, download, present } from "./download.js";
import type { HubEnvironment } from "./environment.js";
import { type HubFile, type Listing, listRepository, smallFiles, weightFiles } from "./listing.js";
import { type HubName, isCommit, written } from "./name.js";

export interface PullOptions {
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/**
 * @returns the folder of the snapshot
 * @throws {UserError} where the hub does not have it, does not show it, or it is not a model that can be run
 * @throws {Unavailable} where network, hub or disk fail; what is there by then is used by the next pull
 */
export async function pull(model: HubName, environment: HubEnvironment, { signal, say }: PullOptions): Promise<string> {
  if (environment.offline) throw new UserError(messages.hubOffline);
  const { lock } = repositoryPaths(environment.cache, model.name);
  const onWait = () => say(messages.hubOtherPull(model.name));
  try {
    return await withLock(lock, () => pullAlone(new Connection(environment, model, signal)), { signal, onWait });
  } catch (error) {
    const code = errorCode(error) ?? "";
    if (code === "ENOSPC") throw new Unavailable(messages.hubDiskFull(environment.cache));
    if (["EACCES", "EROFS", "ENOTDIR", "EEXIST", "EPERM"].includes(code)) {
      throw new UserError(messages.hubBadCache(environment.cache, code));
    }
    throw error;
  }
}

async function pullAlone(connection: Connection): Promise<string> {
  const { environment, model } = connection;
  const listing = await listRepository(connection);
  const { blobs, snapshots, ref } = repositoryPaths(environment.cache, model.name);
  await mkdir(blobs, { recursive: true });
  const draft = join(snapshots, `.${listing.revision}.tmp`);
  await rm(draft, { recursive: true, force: true });
  try {
    const small = smallFiles(listing, connection);
    await downloadAll(connection, listing, small, blobs);
    await linkAll(draft, small, blobs);
    await readConfig({ ...fileSource(draft), name: written(model) }); // refused before gigabytes are fetched
    const weights = await weightFiles(listing, connection, (file) => readFile(blobPath(file, blobs), "utf8"));
    await downloadAll(connection, listing, weights, blobs);
    await linkAll(draft, weights, blobs);
    const snapshot = join(snapshots, listing.revision);
    if (await stat(snapshot).catch(absent)) await linkAll(snapshot, [...small, ...weights], blobs);
    else await rename(draft, snapshot);
    const { revision = "main" } = model;
    if (!isCommit(revision)) await replaceFile(ref(revision), listing.revision);
    return snapshot;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function downloadAll(connection: Connection, listing: Listing, files: readonly HubFile[], blobs: string) {
  const there = await Promise.all(files.map((file) => present(file, blobs)));
  const before = sum(there);
  const total = sum(files.map(({ size }) => size));
  await checkSpace(total - before, blobs);
  const state = (done: number, rate: number) => `${byteSize(done)} of ${byteSize(total)}, ${byteSize(rate)}/s`;
  const gauge = meter(`pull ${written(connection.model)}`, total, { state, done: before });
  try {
    let done = 0;
    for (const file of files) {
      await download(connection, listing, file, blobs, (bytes) => gauge.update(done + bytes));
      done += file.size;
    }
  } finally {
    gauge.close();
  }
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** @throws {Unavailable} where the disk has not the room */
async function checkSpace(needed: number, folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (needed > free) throw new Unavailable(messages.hubNoRoom(byteSize(needed), folder, byteSize(free)));
}

/** Puts the files into a folder by name, as links to their blobs. What stands there under these names is replaced. */
async function linkAll(folder: string, files: readonly HubFile[], blobs: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const file of files) {
    const link = join(folder, file.path);
    await rm(`${link}.tmp`, { force: true });
    await symlink(relative(folder, blobPath(file, blobs)), `${link}.tmp`);
    await rename(`${link}.tmp`, link);
  }
  await flushFolder(folder);
}

async function replaceFile(path: string, content: string): Promise<void> {
  await writeFlushed(`${path}.tmp`, content);
  await rename(`${path}.tmp`, path);
}
