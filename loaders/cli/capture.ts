/** `observatory capture`: the attention of a model over given tokens, as Arrow files. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { Architecture } from "../../engine/architecture.js";
import { openCheckpoint, readConfig } from "../../engine/checkpoint.js";
import { UserError } from "../../engine/errors.js";
import { inHalfPrecision } from "../../engine/half-precision.js";
import type { HeadPlace } from "../../engine/metrics/columns.js";
import { Model } from "../../engine/model.js";
import { lastPosition } from "../../engine/prompt.js";
import { type CaptureOptions, capture, checkSize, longestOf, workOf } from "../capture/capture.js";
import { makeFolder } from "../capture/folder.js";
import { checkSequences, readSequences, tokenizedText } from "../capture/sequences.js";
import { openBackend } from "../devices.js";
import { fileSource } from "../files.js";
import { modelFolder, pulledModel } from "../hub/cache.js";
import { messages } from "../messages.js";
import { meter } from "../meter.js";
import { bundledModel, modelName, projectPath } from "../project.js";
import { packageVersion } from "../runner/provenance.js";
import { say, untilInterrupted } from "../terminal.js";
import { deviceOf } from "./device.js";

export interface CaptureFlags {
  readonly model?: string;
  readonly text?: string;
  readonly ids?: string;
  readonly out: string;
  readonly device: string;
  readonly threads?: number;
  readonly rows?: string;
  readonly logits: CaptureOptions["logits"];
  readonly bos: "auto" | "never";
  readonly dtype: "f32" | "f16";
}

/** @throws {UserError} where something given cannot be used, before any weight is read */
export async function captureCommand(flags: CaptureFlags): Promise<void> {
  const folder = await modelFolder(flags.model ?? bundledModel);
  const source = fileSource(folder);
  const sequences = await sequencesOf(flags, source);
  const { architecture } = await readConfig(source);
  const options = { logits: flags.logits, rows: headsOf(flags.rows, architecture) };
  checkSequences(sequences, architecture);
  checkSize(sequences, architecture, options);
  const takeAway = await makeFolder(flags.out);
  try {
    await run(flags, { folder, sequences, architecture, options });
  } catch (error) {
    await takeAway();
    throw error;
  }
}

interface Work {
  /** Of the model. */
  readonly folder: string;
  readonly sequences: readonly Int32Array[];
  readonly architecture: Architecture;
  readonly options: CaptureOptions;
}

async function run(flags: CaptureFlags, { folder, sequences, architecture, options }: Work): Promise<void> {
  const { dtype, threads = availableParallelism() } = flags;
  const beyond = sequences.some((ids) => lastPosition({ ids }) >= architecture.contextLength);
  const stored = await openCheckpoint(fileSource(folder));
  const { device = "cpu", adapter } = await deviceOf(flags.device);
  const backend = await openBackend(adapter === undefined ? device : `${device}:${adapter}`, { threads });
  const model = await Model.load(dtype === "f16" ? inHalfPrecision(stored) : stored, backend);
  if (beyond) say(messages.beyondTrained(longestOf(sequences), architecture.contextLength));
  const passport = {
    model: { name: modelName(folder), ...pulledModel(folder), control: stored.control, ...stored.hashes },
    device: { name: backend.device, ...backend.description },
    precision: dtype === "f16" ? "weights float16, arithmetic float32" : "float32",
    tokens: sequences.map((ids) => ids.length),
    beyond_trained_length: beyond,
    versions: { node: process.versions.node, "attention-observatory": await packageVersion() },
  };
  const tokens = sequences.reduce((sum, ids) => sum + ids.length, 0);
  const work = workOf(sequences, architecture, options);
  const gauge = meter("capture", work, { state: (done) => `${Math.floor((100 * done) / work)} % of ${tokens} tokens` });
  try {
    const signal = untilInterrupted();
    const files = await capture(model, sequences, resolve(flags.out), passport, options, {
      signal,
      progress: gauge.update,
    });
    for (const file of files) console.log(projectPath(file));
  } finally {
    gauge.close();
    await model.release();
  }
}

async function sequencesOf(
  { text, ids, bos }: CaptureFlags,
  source: ReturnType<typeof fileSource>,
): Promise<Int32Array[]> {
  if ((text === undefined) === (ids === undefined)) throw new UserError(messages.oneInput);
  return ids === undefined
    ? tokenizedText(source, { text: text ?? "", startToken: bos === "auto" })
    : readSequences(ids);
}

/** `all`, or `L.H,L.H,…`, each once and in the order of the model. */
function headsOf(text: string | undefined, { layers, heads }: Architecture): HeadPlace[] {
  if (text === undefined) return [];
  const all = Array.from({ length: layers * heads }, (_, i) => ({ layer: Math.floor(i / heads), head: i % heads }));
  if (text === "all") return all;
  const named = new Set<number>();
  for (const item of text.split(",")) {
    const [, layer, head] = /^\s*(\d{1,5})\.(\d{1,5})\s*$/.exec(item)?.map(Number) ?? [];
    if (layer === undefined) throw new UserError(messages.notHeads(text));
    if (layer >= layers || head >= heads) throw new UserError(messages.noSuchHead(layer, head, layers, heads));
    named.add(layer * heads + head);
  }
  return all.filter((_, i) => named.has(i));
}
