/** Runs a model over token sequences and writes what its attention does into Arrow files: all of them, or none. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Architecture } from "../../engine/architecture.js";
import { UserError } from "../../engine/errors.js";
import type { Request } from "../../engine/forward.js";
import { visibleKeys } from "../../engine/mask.js";
import { type HeadPlace, rowRequest } from "../../engine/metrics/columns.js";
import type { Model } from "../../engine/model.js";
import { messages } from "../messages.js";
import { errorCode } from "../store/system.js";
import { ArrowFile } from "./arrow-file.js";
import { addLogits, addReceived, addRows, addStatistics, type TableName, tables } from "./tables.js";

/** What comes out besides the statistics of every row and what every key receives. */
export interface CaptureOptions {
  readonly logits: "last" | "all" | "none";
  /** Heads whose attention matrices are written. */
  readonly rows: readonly HeadPlace[];
}

export interface CaptureProgress {
  readonly signal: AbortSignal;
  /** @param tokens of all sequences that are done */
  readonly progress: (tokens: number) => void;
}

const tableNames = Object.keys(tables) as TableName[];

/**
 * Writes `folder`/NAME.arrow for each table that is asked for, and removes those that an earlier capture left there
 * and this one does not have.
 * @param passport goes into the schema of every table
 * @returns the paths of the files
 */
export async function capture(
  model: Model,
  sequences: readonly Int32Array[],
  folder: string,
  passport: Readonly<Record<string, unknown>>,
  { logits, rows }: CaptureOptions,
  { signal, progress }: CaptureProgress,
): Promise<string[]> {
  const { architecture } = model;
  const metadata = new Map([["passport", JSON.stringify(passport)]]);
  const wanted = tableNames.filter(
    (name) => (name !== "logits" || logits !== "none") && (name !== "rows" || rows.length > 0),
  );
  const files = new Map<TableName, ArrowFile>();
  const fill = async (name: TableName, add: (file: ArrowFile) => Promise<void>) => {
    const file = files.get(name);
    if (file) await add(file);
  };
  try {
    for (const name of wanted) files.set(name, await ArrowFile.create(pathOf(folder, name), tables[name], metadata));
    let done = 0;
    for (const [index, ids] of sequences.entries()) {
      const forward = await model.forward({ ids }, requestFor(ids.length, { logits, rows }), {
        signal,
        progress: (queries) => progress(done + queries),
      });
      const visible = architecture.blocks.map(({ attention }) => visibleKeys({ ids }, attention.window));
      const filling = { sequence: index, forward, architecture, visible };
      await fill("statistics", (file) => addStatistics(file, filling));
      await fill("received", (file) => addReceived(file, filling));
      await fill("logits", (file) => addLogits(file, filling));
      await fill("rows", (file) => addRows(file, filling, rows));
      done += ids.length;
    }
    for (const file of files.values()) await file.finish();
    for (const name of tableNames) if (!files.has(name)) await rm(pathOf(folder, name), { force: true });
    for (const file of files.values()) await file.publish();
    return [...files.values()].map(({ path }) => path);
  } catch (error) {
    for (const file of files.values()) await file.discard();
    throw error;
  }
}

const pathOf = (folder: string, name: TableName): string => join(folder, `${name}.arrow`);

function requestFor(tokens: number, { logits, rows }: CaptureOptions): Request {
  return {
    ...rowRequest(tokens),
    queryGroups: [new Float32Array(tokens).fill(1)],
    ...(logits === "none" ? {} : { logits }),
    ...(rows.length > 0 ? { attention: true } : {}),
  };
}

/** What a forward pass may hold for `--rows` or `--logits all`, in bytes. */
const largestTensor = 2 ** 31;

/** @throws {UserError} where what is asked for would take more memory than there may be */
export function checkSize(
  sequences: readonly Int32Array[],
  { layers, heads, vocabulary }: Architecture,
  { logits, rows }: CaptureOptions,
): void {
  const tokens = Math.max(...sequences.map((ids) => ids.length));
  const most = largestTensor / Float32Array.BYTES_PER_ELEMENT;
  if (rows.length > 0 && layers * heads * tokens ** 2 > most) {
    throw new UserError(messages.rowsTooLarge(tokens, Math.floor(Math.sqrt(most / (layers * heads)))));
  }
  if (logits === "all" && tokens * vocabulary > most) {
    throw new UserError(messages.logitsTooLarge(tokens, Math.floor(most / vocabulary)));
  }
}

/** @throws {UserError} where it is no folder, or nothing can be written into it */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const code = errorCode(error) ?? "";
    if (["EEXIST", "ENOTDIR", "EACCES", "EROFS", "EPERM"].includes(code))
      throw new UserError(messages.badOut(folder, code));
    throw error;
  }
}
