/** The records of training runs: one JSONL file per run, described in data/training/README.md. */
import { UserError } from "../../../engine/errors.js";

export type PerHead = readonly (readonly number[])[]; // [layers][heads]

export interface Passport {
  readonly variant: string;
  readonly seed: number;
  readonly steps: number;
  readonly tokens: number;
  readonly context: number;
  readonly parameters: number;
  readonly device: string;
  readonly driver: string;
  readonly torch: string;
}

export interface Checkpoint {
  readonly step: number;
  readonly tokens: number;
  readonly heldout_loss: number;
  readonly entropy: PerHead;
  readonly sink_mass: PerHead;
  readonly previous_token_mass: PerHead;
  readonly induction: PerHead;
  readonly duplicate_token_mass: PerHead;
  readonly null_mass: PerHead;
  readonly value_norm_ratio: PerHead;
  readonly key_norm_ratio: PerHead;
  readonly residual_norm_ratio: readonly number[]; // [layers]
}

export interface Run {
  /** `main` is the bundled model; the others are `VARIANT-SEED`. */
  readonly name: string;
  readonly passport: Passport;
  readonly checkpoints: readonly Checkpoint[];
  readonly curve: readonly { step: number; tokens: number; loss: number; learning_rate: number; context: number }[];
  readonly losses: readonly { window: number; first: number; end: number; loss: number; standard_error: number }[];
  readonly positions: readonly { first: number; end: number; entropy: PerHead; sink_mass: PerHead }[];
  readonly distances: readonly { octaves: readonly (readonly [number, number])[]; mass: readonly PerHead[] }[];
  readonly retrieval: readonly { task: string; length: number; depth: number; n: number; correct: number }[];
  readonly end: { readonly training_seconds: number; readonly heldout_loss_f16: number };
}

/** What a record of each kind must hold. The files are the project's own, so a shape is checked and no more. */
const shapes = {
  passport: ["variant", "seed", "steps", "tokens", "context", "parameters", "device", "driver", "torch"],
  checkpoint: ["step", "tokens", "heldout_loss", "entropy", "sink_mass", "induction", "residual_norm_ratio"],
  curve: ["step", "tokens", "loss", "learning_rate", "context"],
  loss_by_position: ["window", "first", "end", "loss", "standard_error"],
  attention_by_position: ["first", "end", "entropy", "sink_mass"],
  mass_by_distance: ["octaves", "mass"],
  retrieval: ["task", "length", "depth", "n", "correct"],
  end: ["training_seconds", "heldout_loss_f16"],
} as const;

type Kind = keyof typeof shapes;

/** @throws {UserError} that names the run, the line and the field of the first record that does not serve */
export function readRun(name: string, records: readonly unknown[]): Run {
  const byKind = new Map<string, object[]>(Object.keys(shapes).map((kind) => [kind, []]));
  records.forEach((record, index) => {
    const at = `training/${name}.jsonl, line ${index + 1}`;
    if (typeof record !== "object" || record === null || !("record" in record))
      throw new UserError(`${at}: field "record" is missing; it names the kind of the record.`);
    const kind = String(record.record);
    const list = byKind.get(kind);
    if (!list) throw new UserError(`${at}: "${kind}" is not a kind of record.`);
    const missing = shapes[kind as Kind].find((field) => !(field in record));
    if (missing) throw new UserError(`${at}: field "${missing}" is missing.`);
    list.push(record);
  });
  const all = <T extends object>(kind: Kind) => (byKind.get(kind) ?? []) as T[];
  const one = <K extends "passport" | "end">(kind: K): Run[K] => {
    const [record, ...more] = byKind.get(kind) as unknown[];
    if (record === undefined || more.length > 0)
      throw new UserError(
        `training/${name}.jsonl must hold one "${kind}" record, but holds ${more.length + (record ? 1 : 0)}.`,
      );
    return record as Run[K];
  };
  return {
    name,
    passport: one("passport"),
    checkpoints: all<Checkpoint>("checkpoint"),
    curve: all<Run["curve"][number]>("curve"),
    losses: all<Run["losses"][number]>("loss_by_position"),
    positions: all<Run["positions"][number]>("attention_by_position"),
    distances: all<Run["distances"][number]>("mass_by_distance"),
    retrieval: all<Run["retrieval"][number]>("retrieval"),
    end: one("end"),
  };
}
