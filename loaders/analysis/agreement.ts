/**
 * Records of results that were computed twice: the stored one, and again on another device. A line of such a JSONL file,
 * which `observatory verify --record` writes, is about the two runs of an experiment, one of its columns, or one of its
 * claims; `record` names which.
 */
import { UserError } from "../../engine/errors.js";
import type { Outcome } from "../experiment.js";

/** What the passport of one of the two runs says of where it came from. */
export interface Origin {
  readonly key: string;
  /** Name, runtime, threads, adapter; absent from experiments that run no model. */
  readonly device?: Readonly<Record<string, string>>;
  /** Largest distance from float64 on a small case; null where it could not be measured. */
  readonly error: number | null;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly commit?: string;
  readonly clean?: boolean;
  readonly date: string;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
}

export interface RunRecord {
  readonly record: "run";
  readonly experiment: string;
  readonly title: string;
  readonly stored: Origin;
  readonly again: Origin;
  /** What differs between the two besides the device, where they are not of the same code. */
  readonly changes?: readonly string[];
}

/** What two values of a column may be apart: a number that it declares; by default, a share of themselves or of 1; nothing. */
export type ToleranceRule = "declared" | "scaled" | "equal";

export interface ColumnRecord {
  readonly record: "column";
  readonly experiment: string;
  readonly table: string;
  readonly column: string;
  /** Pairs of rows that were compared, rows without a partner, and pairs that are farther apart than is tolerated. */
  readonly rows: number;
  readonly unpaired: number;
  readonly differing: number;
  readonly rule: ToleranceRule;
  readonly tolerance: number;
  /** Largest difference of two numbers, and the same divided by the larger of their sizes. */
  readonly absolute: number;
  readonly relative: number;
  /** The same divided by what is tolerated; null where values differ that must be equal, or of which one is missing. */
  readonly share: number | null;
  /** Where that is, and the two values there; null where all are equal. */
  readonly where: string | null;
  readonly stored: number | string | boolean | null;
  readonly again: number | string | boolean | null;
  /** Of the stored numbers. */
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly within: boolean;
}

/** What a claim came to; numbers are null where its verdict has none. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly estimate: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly n: number;
}

export interface ClaimRecord {
  readonly record: "claim";
  readonly experiment: string;
  readonly claim: string;
  readonly statement: string;
  readonly measure: string;
  readonly stored: Verdict;
  readonly again: Verdict;
}

export type AgreementRecord = RunRecord | ColumnRecord | ClaimRecord;

/** What a line of each kind must hold. The files are the project's own, so a shape is checked and no more. */
const shapes: Readonly<Record<AgreementRecord["record"], readonly string[]>> = {
  run: ["experiment", "title", "stored", "again"],
  column: ["experiment", "table", "column", "rows", "unpaired", "differing", "rule", "tolerance", "share", "within"],
  claim: ["experiment", "claim", "statement", "measure", "stored", "again"],
};

/**
 * The lines, known to be of the three kinds, and every one of an experiment whose runs are among them.
 * @throws {UserError} that names the line and what is wrong with it
 */
export function agreementRecords(lines: readonly unknown[], input: string): AgreementRecord[] {
  const records = lines.map((line, index) => {
    const at = `Input "${input}", line ${index + 1}`;
    const record = line as AgreementRecord;
    const shape = Object.hasOwn(shapes, record.record) ? shapes[record.record] : undefined;
    if (!shape) throw new UserError(`${at}: field "record" must be one of ${Object.keys(shapes).join(", ")}.`);
    const missing = shape.find((field) => !(field in record));
    if (missing !== undefined) throw new UserError(`${at}: field "${missing}" is missing.`);
    return record;
  });
  const runs = records.filter(({ record }) => record === "run").map(({ experiment }) => experiment);
  const stray = records.find(({ experiment }) => runs.filter((run) => run === experiment).length !== 1);
  if (stray || runs.length === 0)
    throw new UserError(
      `Input "${input}" must hold one line "run" for each experiment${stray ? `, but not for ${stray.experiment}` : ""}.`,
    );
  return records;
}
