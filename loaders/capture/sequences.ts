/** What a capture runs on: token sequences from a text or from a file of ids, refused before any weight is read. */
import { readFile } from "node:fs/promises";
import type { Architecture } from "../../engine/architecture.js";
import { UserError } from "../../engine/errors.js";
import { shown } from "../../engine/json.js";
import { checkPrompt } from "../../engine/prompt.js";
import type { ByteSource } from "../../engine/source.js";
import { messages } from "../messages.js";
import { errorCode } from "../store/system.js";

const largestId = 2 ** 31 - 1;

export interface TextInput {
  readonly text: string;
  /** Whether the token that stood before every training text is put before this one, where there was one. */
  readonly startToken: boolean;
}

/** @throws {UserError} where the text is empty, or the model has no tokenizer of its own */
export async function tokenizedText(source: ByteSource, { text, startToken }: TextInput): Promise<Int32Array[]> {
  if (text === "") throw new UserError(messages.emptyText);
  const { openTokenizer } = await import("../../engine/tokenizer.js"); // ids need none
  const tokenizer = await openTokenizer(source);
  return [startToken ? tokenizer.prompt(text) : tokenizer.encode(text)];
}

/**
 * Reads `[[id, …], …]`, taken as it is.
 * @throws {UserError} where the file cannot be read or holds something else
 */
export async function readSequences(file: string): Promise<Int32Array[]> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (["ENOENT", "EISDIR", "EACCES", "ENOTDIR"].includes(errorCode(error) ?? "")) {
      throw new UserError(messages.unreadableIds(file));
    }
    throw error;
  });
  const sequences = parse(text, file);
  if (!Array.isArray(sequences) || sequences.length === 0 || !sequences.every(Array.isArray)) {
    throw new UserError(messages.notSequences(file));
  }
  return sequences.map((ids: readonly unknown[], sequence) => {
    const isId = (id: unknown) => Number.isInteger(id) && Math.abs(id as number) <= largestId;
    const wrong = ids.findIndex((id) => !isId(id));
    if (wrong >= 0) throw new UserError(messages.notAnId(file, sequence, wrong, shown(ids[wrong])));
    return Int32Array.from(ids as readonly number[]);
  });
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(messages.notSequences(file));
  }
}

/** @throws {UserError} naming the first sequence that the model cannot take, and why */
export function checkSequences(sequences: readonly Int32Array[], architecture: Architecture): void {
  for (const [index, ids] of sequences.entries()) {
    try {
      checkPrompt({ ids }, architecture);
    } catch (error) {
      if (!(error instanceof UserError) || sequences.length === 1) throw error;
      throw new UserError(messages.inSequence(index, error.message));
    }
  }
}
