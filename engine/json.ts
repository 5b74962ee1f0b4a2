import { UserError } from "./errors.js";
import type { ByteSource } from "./source.js";

export type Json = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The bytes of a whole file, or undefined where there is none. */
export async function readWhole(source: ByteSource, file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const size = await source.size(file);
  return size === undefined ? undefined : source.read(file, 0, size);
}

/** @throws {UserError} where the bytes are not a JSON object; `where` names them */
export function parseJson(bytes: Uint8Array, where: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new UserError(`${where} is not JSON in UTF-8: ${error instanceof Error ? error.message : error}.`);
  }
  if (!isRecord(value)) throw new UserError(`${where} is not a JSON object.`);
  return value;
}

const longest = 100; // characters

/** A value as JSON for a message, cut where it is long. */
export function shown(value: unknown): string {
  const text = isNestedDeeply(value) ? "something nested very deeply" : (JSON.stringify(value) ?? String(value));
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** Whether JSON.stringify, which calls itself for every level, could run out of stack. */
function isNestedDeeply(value: unknown, levels = 100): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isNestedDeeply(inner, levels - 1));
}
