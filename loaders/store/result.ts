/** A result as it lies on disk: a folder with one Arrow file per table and the passport that vouches for them. */
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messages } from "../messages.js";
import { sha256 } from "./hash.js";
import { type Passport, parsePassport } from "./passport.js";
import { absent, errorCode, flushFolder, isFull, writeFlushed } from "./system.js";

export const passportFile = "passport.json";
const tableFile = (name: string) => `${name}.arrow`;

/** The files are not what their passport says, or the passport is not one. */
export class CorruptResult extends Error {
  override readonly name = "CorruptResult";
}

export class Result {
  readonly folder: string;
  readonly passport: Passport;

  constructor(folder: string, passport: Passport) {
    this.folder = folder;
    this.passport = passport;
  }

  /** The stream as it is stored. Throws CorruptResult where it is not what the passport says. */
  async table(name: string): Promise<Uint8Array> {
    const file = join(this.folder, tableFile(name));
    const bytes = await readFile(file).catch(absent);
    if (bytes === undefined) throw new CorruptResult(messages.missingFile(file));
    if (sha256(bytes) !== this.passport.tables[name]?.sha256) throw new CorruptResult(messages.wrongHash(file));
    return bytes;
  }

  /** A whole copy in another folder, which replaces what is there. */
  async copyTo(folder: string): Promise<void> {
    const names = Object.keys(this.passport.tables);
    const tables = await Promise.all(names.map(async (name) => [name, await this.table(name)] as const));
    await writeResult(folder, this.passport, new Map(tables));
  }

  /** Throws CorruptResult unless every table is what the passport says. */
  async verify(): Promise<void> {
    for (const name of Object.keys(this.passport.tables)) await this.table(name);
  }
}

/** Reads the passport only. Undefined where there is no result; throws CorruptResult where there is half of one. */
export async function openResult(folder: string): Promise<Result | undefined> {
  const file = join(folder, passportFile);
  const text = await readFile(file, "utf8").catch((error) =>
    errorCode(error) === "ENOTDIR" ? undefined : absent(error),
  );
  if (text === undefined) return undefined;
  try {
    return new Result(folder, parsePassport(text));
  } catch (error) {
    throw new CorruptResult(messages.badPassport(file, error instanceof Error ? error.message : String(error)));
  }
}

/**
 * Writes a result to a sibling, flushes it and renames it into place. An older result there is replaced; whatever
 * happens, `folder` holds a whole result or none. The caller must be the only writer.
 */
export async function writeResult(
  folder: string,
  passport: Passport,
  tables: ReadonlyMap<string, Uint8Array>,
): Promise<Result> {
  const draft = `${folder}.tmp`;
  const replaced = `${folder}.old.tmp`;
  await Promise.all([draft, replaced].map((leftover) => rm(leftover, { recursive: true, force: true })));
  try {
    await mkdir(draft, { recursive: true });
    for (const [name, bytes] of tables) await writeFlushed(join(draft, tableFile(name)), bytes);
    await writeFlushed(join(draft, passportFile), `${JSON.stringify(passport, null, 2)}\n`);
    await flushFolder(draft);
    await rename(folder, replaced).catch(absent);
    await rename(draft, folder);
    await flushFolder(dirname(folder));
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw isFull(error) ? new Error(messages.diskFull(dirname(folder)), { cause: error }) : error;
  }
  await rm(replaced, { recursive: true, force: true });
  return new Result(folder, passport);
}
