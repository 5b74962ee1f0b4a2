/** JSONL inputs: one JSON object per line. */
import { readFile } from "node:fs/promises";
import { UserError } from "../engine/errors.js";
import { messages } from "./messages.js";
import { errorCode } from "./store/system.js";

export async function readJsonl(file: string): Promise<unknown[]> {
  const lines = (await readInput(file)).toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  const records = lines.map((line, index) => parseLine(line, file, index + 1));
  if (records.length === 0) throw new UserError(messages.emptyInput(file));
  return records;
}

export async function readInput(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "EISDIR" || code === "EACCES")
      throw new UserError(messages.unreadableInput(file));
    throw error;
  }
}

function parseLine(line: string, file: string, number: number): unknown {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record === "object" && record !== null && !Array.isArray(record)) return record;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UserError(messages.badLine(file, number));
}
