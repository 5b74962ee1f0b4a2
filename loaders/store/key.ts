/** A result's key: the hash of everything that can change its numbers, kept readable so that a change has a name. */
import type { Device } from "../../engine/backend.js";
import type { Parameters } from "../experiment.js";
import { sha256 } from "./hash.js";

export type Environment = Readonly<Record<string, string | null>>;

export interface KeyParts {
  readonly experiment: string;
  /** sha256 of the normalised code of the experiment and of everything that it imports or runs on. */
  readonly code: string;
  /** Versions of the packages that this code imports, and of theirs. */
  readonly packages: Readonly<Record<string, string>>;
  readonly parameters: Parameters;
  /** sha256 of each input file, by its name in the experiment. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The variables that the experiment declares; null where one is not set. Absent where it declares none. */
  readonly environment?: Environment;
  /** Absent where the experiment reads committed records only. */
  readonly model?: { readonly config: string; readonly weights: string; readonly tokenizer: string };
  readonly device?: Device;
  readonly precision?: "float32";
}

export interface Identity {
  readonly key: string;
  readonly keyParts: KeyParts;
  /** sha256 of the source files behind `keyParts.code`, to say which of them changed. */
  readonly sources: Readonly<Record<string, string>>;
}

export function keyOf(parts: KeyParts): string {
  return sha256(canonical(parts));
}

/** JSON with sorted names, so that equal parts have equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The first few of a list, and how many there are besides. */
export function some(items: readonly string[], shown: number): string {
  const more = items.length - shown;
  return items.slice(0, shown).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Source files that changed from one identity to another. */
export const filesChanged = ({ sources: before }: Identity, { sources: now }: Identity): string[] =>
  Object.keys({ ...before, ...now }).filter((file) => before[file] !== now[file]);

/** Whether nothing but the code differs, and the packages that it imports. */
export function isOfOtherCode({ keyParts: before }: Identity, { keyParts: now }: Identity): boolean {
  return keyOf({ ...before, code: now.code, packages: now.packages }) === keyOf(now);
}

/** What changed from one identity to another, one phrase each; empty where nothing did. */
export function differences(one: Identity, other: Identity): string[] {
  const { keyParts: before } = one;
  const { keyParts: now } = other;
  const files = filesChanged(one, other);
  return [
    before.code === now.code ? [] : [`the code changed${files.length > 0 ? ` (${some(files, 3)})` : ""}`],
    changes(before.packages, now.packages, (name) => `package ${name}`),
    changes(before.parameters, now.parameters, (name) => `parameter ${name}`),
    changes(before.inputs, now.inputs, (name) => `input ${name}`, hidden),
    changes(before.environment ?? {}, now.environment ?? {}, (name) => `environment variable ${name}`),
    changes(before.model ?? {}, now.model ?? {}, (name) => `the model's ${name}`, hidden),
    changes({ device: before.device }, { device: now.device }, (name) => `the ${name}`),
    changes({ precision: before.precision }, { precision: now.precision }, (name) => `the ${name}`),
  ].flat();
}

const hidden = () => "changed"; // two hashes tell a reader nothing

const shown = (before: unknown, now: unknown) =>
  before === undefined
    ? "is new"
    : now === undefined
      ? "is gone"
      : `changed from ${canonical(before)} to ${canonical(now)}`;

function changes(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
  called: (name: string) => string,
  how: (before: unknown, now: unknown) => string = shown,
): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((name) => canonical(before[name]) !== canonical(now[name]))
    .map((name) => `${called(name)} ${how(before[name], now[name])}`);
}
