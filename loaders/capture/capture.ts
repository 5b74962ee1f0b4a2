/** Runs a model over token sequences and writes what its attention does into Arrow files: all of them, or none. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Architecture } from "../../engine/architecture.js";
import { UserError } from "../../engine/errors.js";
import type { Forward, Request } from "../../engine/forward.js";
import { visibleKeys } from "../../engine/mask.js";
import { weightSizes } from "../../engine/memory.js";
import { type HeadPlace, rowRequest } from "../../engine/metrics/columns.js";
import type { Model } from "../../engine/model.js";
import { messages } from "../messages.js";
import { ArrowFile } from "./arrow-file.js";
import { unwritable } from "./folder.js";
import { addLogits, addReceived, addRows, addStatistics, given, ofHead, type TableName, tables } from "./tables.js";

/** What comes out besides the statistics of every row and what every key receives. */
export interface CaptureOptions {
  readonly logits: "last" | "all" | "none";
  /** Heads whose attention matrices are written. */
  readonly rows: readonly HeadPlace[];
}

export interface CaptureProgress {
  readonly signal: AbortSignal;
  /** @param work that is done, of `workOf` */
  readonly progress: (work: number) => void;
}

const tableNames = Object.keys(tables) as TableName[];

/**
 * Writes `folder`/NAME.arrow for each table that is asked for, and removes those that an earlier capture left there
 * and this one does not have.
 * @param passport goes into the schema of every table
 * @returns the paths of the files
 * @throws {UserError} where the folder takes no files, or the model computes no finite numbers
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
  const refuseFolder = (error: unknown) => {
    throw unwritable(folder, error);
  };
  const fill = async (name: TableName, add: (file: ArrowFile) => Promise<void>) => {
    const file = files.get(name);
    if (file) await add(file);
  };
  try {
    for (const name of wanted) {
      files.set(name, await ArrowFile.create(pathOf(folder, name), tables[name], metadata).catch(refuseFolder));
    }
    let done = 0;
    const run = async (ids: Int32Array, request: Request) => {
      const advance = (tokens: number) => progress(done + passWork(tokens, architecture));
      const forward = await model.forward({ ids }, request, { signal, progress: advance });
      done += passWork(ids.length, architecture);
      return forward;
    };
    for (const [index, ids] of sequences.entries()) {
      const together = rows.length > 0 && fitTogether(ids, architecture);
      const forward = await run(ids, requestFor(ids.length, logits, together));
      refuseBroken(forward, index);
      const visible = architecture.blocks.map(({ attention }) => visibleKeys({ ids }, attention.window));
      const filling = { sequence: index, forward, architecture, visible };
      await fill("statistics", (file) => addStatistics(file, filling));
      await fill("received", (file) => addReceived(file, filling));
      await fill("logits", (file) => addLogits(file, filling));
      for (const place of rows) {
        const matrix = together
          ? ofHead(forward.attention, place)
          : await run(ids, { headWeights: oneHead(place, architecture) }).then(({ mixture }) => given(mixture).data);
        await fill("rows", (file) => addRows(file, filling, place, matrix));
      }
    }
    for (const file of files.values()) await file.finish();
    for (const name of tableNames) {
      if (!files.has(name)) await rm(pathOf(folder, name), { force: true }).catch(refuseFolder);
    }
    for (const file of files.values()) await file.publish().catch(refuseFolder);
    return [...files.values()].map(({ path }) => path);
  } catch (error) {
    for (const file of files.values()) await file.discard();
    throw error;
  }
}

const pathOf = (folder: string, name: TableName): string => join(folder, `${name}.arrow`);

/** @throws {UserError} where entropy or logits are not finite: the columns of such a model would look merely empty */
function refuseBroken({ entropy, logits }: Forward, sequence: number): void {
  const { data, dims } = given(entropy); // [layers, heads, queries]
  const place = data.findIndex((nats) => !Number.isFinite(nats));
  if (place >= 0) {
    const head = Math.floor(place / dims[2]);
    const where = `layer ${Math.floor(head / dims[1])}, head ${head % dims[1]}, query ${place % dims[2]}`;
    throw new UserError(messages.notFinite(sequence, where));
  }
  if (logits && !logits.data.every(Number.isFinite)) throw new UserError(messages.notFinite(sequence, "the logits"));
}

function requestFor(tokens: number, logits: CaptureOptions["logits"], attention: boolean): Request {
  return {
    ...rowRequest(tokens),
    queryGroups: [new Float32Array(tokens).fill(1)],
    ...(logits === "none" ? {} : { logits }),
    attention,
  };
}

const oneHead = ({ layer, head }: HeadPlace, { layers, heads }: Architecture): Float32Array =>
  new Float32Array(layers * heads).fill(1, layer * heads + head, layer * heads + head + 1);

/** Values that one tensor of a forward pass may hold: 1 GiB for the matrices of all heads, 2 GiB for one of anything. */
const mostTogether = 2 ** 28;
const most = 2 ** 29;

/** Whether the matrices of all heads can come from one pass; otherwise each takes a pass of its own. */
const fitTogether = (ids: Int32Array, { layers, heads }: Architecture): boolean =>
  layers * heads * ids.length ** 2 <= mostTogether;

/** What a score costs besides its products, in multiplications: softmax and statistics. A guess, for estimates of time. */
const perScore = 150;

/** What the first tokens of a prompt cost in one pass, in multiplications: each its weights, and every key before it. */
function passWork(tokens: number, architecture: Architecture): number {
  const { layers, heads, headSize, embedding } = architecture;
  const sizes = [...weightSizes(architecture)].map(([name, size]) => (name === embedding.weight ? 0 : size));
  const dense = sizes.reduce((sum, size) => sum + size, 0);
  return dense * tokens + (layers * heads * (2 * headSize + perScore) * tokens ** 2) / 2;
}

/** The work of all passes of a capture. */
export function workOf(sequences: readonly Int32Array[], architecture: Architecture, { rows }: CaptureOptions): number {
  const passes = (ids: Int32Array) => (fitTogether(ids, architecture) ? 1 : 1 + rows.length);
  return sequences.reduce((sum, ids) => sum + passes(ids) * passWork(ids.length, architecture), 0);
}

/** Tokens of the longest sequence. */
export const longestOf = (sequences: readonly Int32Array[]): number =>
  sequences.reduce((longest, ids) => Math.max(longest, ids.length), 0);

/** @throws {UserError} where what is asked for would take more memory than it may */
export function checkSize(
  sequences: readonly Int32Array[],
  { vocabulary }: Architecture,
  { logits, rows }: CaptureOptions,
): void {
  const tokens = longestOf(sequences);
  if (rows.length > 0 && tokens ** 2 > most) {
    throw new UserError(messages.rowsTooLarge(tokens, Math.floor(Math.sqrt(most))));
  }
  if (logits === "all" && tokens * vocabulary > most) {
    throw new UserError(messages.logitsTooLarge(tokens, Math.floor(most / vocabulary)));
  }
}
