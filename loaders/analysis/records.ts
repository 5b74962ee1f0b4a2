/**
 * Lists of facts as prompts. A line of such a JSONL file is one record:
 *
 *   {"id": "password-01", "format": "documents", "items": [{"text": "The password for the lamp is river.",
 *     "question": "What is the password for the lamp?", "answer": "river"}, …]}
 *   {"id": "keys-01", "format": "key-value", "items": [{"key": "lamp", "value": "river"}, …]}
 *
 * A document without `question` and `answer` only ever distracts. Keys and questions are distinct within a record.
 */
import { UserError } from "../../engine/errors.js";

export type Format = "documents" | "key-value";

export interface Item {
  /** The item without the delimiters around it. */
  readonly text: string;
  /** Asked after the list; absent from items that only distract. */
  readonly question?: string;
  readonly answer?: string;
}

export interface AskedItem extends Item {
  readonly question: string;
  readonly answer: string;
}

export interface FactList {
  readonly id: string;
  readonly format: Format;
  readonly items: readonly Item[];
}

export const isAsked = (item: Item): item is AskedItem => item.question !== undefined;

/** What precedes an item as the n-th of a list (n from 1) and what follows it. */
export function delimited(format: Format, text: string, n: number): string {
  return format === "documents" ? `Document ${n}: ${text}\n` : `${text}\n`;
}

/** The end of a prompt that asks for an item; the answer continues it after a space. */
export function asking(format: Format, question: string): string {
  return format === "documents" ? `\nQuestion: ${question}\nAnswer:` : `\n${question}`;
}

/** @throws UserError that names line and field of the first record that does not serve. */
export function factLists(records: readonly unknown[], input: string): FactList[] {
  return records.map((record, index) => {
    const at = `Prompts "${input}", line ${index + 1}`;
    const { id, format, items } = fields(record, at, '{"id", "format", "items"}');
    if (typeof id !== "string" || id === "") throw new UserError(`${at}: field "id" must be a text that is not empty.`);
    if (format !== "documents" && format !== "key-value") {
      throw new UserError(`${at}: field "format" must be "documents" or "key-value", not ${JSON.stringify(format)}.`);
    }
    if (!Array.isArray(items) || items.length < 2) {
      throw new UserError(`${at}: field "items" must be a list of at least 2 items.`);
    }
    const read = items.map((item: unknown, i) => {
      const where = `${at}, items[${i}]`;
      return format === "documents" ? readDocument(item, where) : pair(item, where);
    });
    const questions = read.filter(isAsked).map(({ question }) => question);
    if (questions.length === 0) throw new UserError(`${at}: no item has a "question" and an "answer" to test.`);
    const twice = questions.find((question, i) => questions.indexOf(question) !== i);
    if (twice !== undefined) throw new UserError(`${at}: field "items" asks ${JSON.stringify(twice)} twice.`);
    return { id, format, items: read };
  });
}

function fields(value: unknown, at: string, shape: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UserError(`${at}: must be an object ${shape}.`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function text(values: Readonly<Record<string, unknown>>, field: string, at: string): string {
  const value = values[field];
  if (typeof value === "string" && value.trim() !== "") return value;
  throw new UserError(`${at}: field "${field}" must be a text that is not empty.`);
}

function readDocument(value: unknown, at: string): Item {
  const values = fields(value, at, '{"text", "question", "answer"}');
  if (values.question === undefined && values.answer === undefined) return { text: text(values, "text", at) };
  return { text: text(values, "text", at), question: text(values, "question", at), answer: text(values, "answer", at) };
}

function pair(value: unknown, at: string): Item {
  const values = fields(value, at, '{"key", "value"}');
  const key = text(values, "key", at);
  const answer = text(values, "value", at);
  return { text: `${key}: ${answer}`, question: `${key}:`, answer };
}
