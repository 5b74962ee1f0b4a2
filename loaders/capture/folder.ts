/** The folder that a capture writes to: made where there is none, and taken away again where nothing came of it. */
import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { errorCode } from "../store/system.js";

const unusable = new Set(
  "EEXIST ENOENT ENOTDIR EISDIR ERR_FS_EISDIR ENOTEMPTY EACCES EROFS EPERM ENAMETOOLONG ELOOP EINVAL".split(" "),
);

/**
 * @returns what takes away again the folders that were made, where they are still empty
 * @throws {UserError} where it is no folder, and cannot be one
 */
export async function makeFolder(folder: string): Promise<() => Promise<void>> {
  if (folder === "") throw new UserError(messages.badOut('""', "ENOENT"));
  const made: string[] = []; // the innermost last
  const undo = async () => {
    for (const path of made.toReversed()) await rmdir(path).catch(() => undefined); // it may be in use by now
  };
  try {
    await make(resolve(folder), made);
  } catch (error) {
    await undo();
    throw unwritable(folder, error);
  }
  return undo;
}

/** What to say where something in the folder cannot be written because of what the folder is. */
export function unwritable(folder: string, error: unknown): unknown {
  const code = errorCode(error) ?? "";
  return unusable.has(code) ? new UserError(messages.badOut(folder, code)) : error;
}

/** Not by mkdir's recursive mode, which never ends below a folder that takes no new entries, as /proc does. */
async function make(path: string, made: string[]): Promise<void> {
  if ((await makeOne(path, made)) || dirname(path) === path) return;
  await make(dirname(path), made);
  if (!(await makeOne(path, made))) throw Object.assign(new Error(`${path} cannot be made`), { code: "ENOENT" });
}

/** @returns whether the folder is there now; it is not where the one above it is missing */
async function makeOne(path: string, made: string[]): Promise<boolean> {
  try {
    await mkdir(path);
    made.push(path);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    if (errorCode(error) === "EEXIST" && (await isFolder(path))) return true;
    throw error;
  }
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
