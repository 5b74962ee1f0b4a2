/** JSONL inputs: one JSON object per line. */
import { readFile } from "node:fs/promises";
import { UserError } from "../engine/errors.js";
import { messages } from "./messages.js";
import { errorCode } from "./store/system.js";

/** @throws {UserError} where the file cannot be read, or a line of it is no object */
export async function readJsonl(file: string): Promise<unknown[]> {
  const lines = (await read(file)).split("\n");
  if (lines.at(-1) === "") lines.pop();
  const records = lines.map((line, index) => parseLine(line, file, index + 1));
  if (records.length === 0) throw new UserError(messages.emptyInput(file));
  return records;
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (["ENOENT", "EISDIR", "EACCES"].includes(errorCode(error) ?? ""))
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
