/** What is known about how a result came to be. It lies beside the tables and travels in the schema that pages read. */
import type { Parameters } from "../experiment.js";
import { type Identity, keyOf } from "./key.js";

export interface TableRecord {
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface ModelRecord {
  readonly name: string;
  /** The commit on the hub that it was pulled from. */
  readonly revision?: string;
  /** Relative to the project where it lies in it, otherwise only its name. */
  readonly folder: string;
  /** What kind of control it is, where it is one and not a trained model. */
  readonly control?: string;
}

/** How far the device was from float64. */
export interface Accuracy {
  /** What was computed on both. */
  readonly case: string;
  /** Largest difference of any number; null where it could not be measured, for the reason given. */
  readonly largest: number | null;
  readonly reason?: string;
}

export interface Passport extends Identity {
  readonly experiment: string;
  readonly title: string;
  readonly question: string;
  readonly parameters: Parameters;
  readonly seed?: number;
  readonly model?: ModelRecord;
  readonly inputs: Readonly<Record<string, string>>;
  /** Backend, runtime and version, threads, adapter and driver where there is one. */
  readonly device?: Readonly<Record<string, string>>;
  readonly accuracy?: Accuracy;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  /** Absent outside of a git checkout. */
  readonly commit?: string;
  /** Whether the checkout had no changes of its own. */
  readonly clean?: boolean;
  /** When the computation began, ISO 8601 in UTC. */
  readonly date: string;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
  readonly tables: Readonly<Record<string, TableRecord>>;
}

/** What may stand in the stored tables themselves, whose bytes must not depend on when and where they were written. */
export function stableMetadata({ key, experiment }: Pick<Passport, "key" | "experiment">): ReadonlyMap<string, string> {
  return new Map([
    ["experiment", experiment],
    ["key", key],
  ]);
}

/** Throws an Error that says what is wrong where the text is not a passport that vouches for its own key. */
export function parsePassport(text: string): Passport {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new Error("it is not an object");
  const passport = value as Partial<Passport>;
  if (!passport.keyParts || !passport.tables || !passport.sources) throw new Error("it is incomplete");
  if (passport.key !== keyOf(passport.keyParts)) throw new Error("its key is not the hash of the parts it lists");
  return passport as Passport;
}
