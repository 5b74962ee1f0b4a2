/**
 * Answers that the build has prepared: what a page asks when it is opened, so that its charts are drawn before the
 * database has started. An answer holds for the files that it was computed from, and for no others.
 */
import { RecordBatchReader, Table } from "apache-arrow";
import { answerKey } from "./answer-key.js";

/** The build names the file in the page; a preview has none. */
const link = document.querySelector<HTMLLinkElement>("link[data-answers]");

export const arePrepared = link !== null && globalThis.crypto?.subtle !== undefined;

const prepared = link && arePrepared ? load(link.href) : undefined;

/** Rows of sql, key and answer, which is an Arrow stream. Without them, the database answers. */
async function load(href: string): Promise<ReadonlyMap<string, Uint8Array>> {
  try {
    const response = await fetch(href);
    if (!response.ok) return new Map();
    const table = tableOf(new Uint8Array(await response.arrayBuffer()));
    return new Map(table.toArray().map(({ key, answer }) => [key, answer]));
  } catch (error) {
    console.info(`The prepared answers cannot be used: ${error}`);
    return new Map();
  }
}

/** @param files by the name of their table, with their hashes */
export async function preparedAnswer(sql: string, files: ReadonlyMap<string, string>): Promise<Table | undefined> {
  const stream = (await prepared)?.get(await answerKey(sql, files));
  return stream && tableOf(stream);
}

function tableOf(stream: Uint8Array): Table {
  const reader = RecordBatchReader.from(stream).open();
  const { schema } = reader; // it has none any more once it is read
  return new Table(schema, [...reader]);
}
