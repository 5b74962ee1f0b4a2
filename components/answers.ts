/**
 * Answers to what a page asks when it is opened, so that its charts are drawn before its database has started: prepared
 * by the build, or given by the database of a preview. An answer holds for the files that it was computed from, and for
 * no others.
 */
import { RecordBatchReader, Table } from "apache-arrow";
import { answerKey } from "./answer-key.js";

/** A file that a query reads. */
export interface AskedFile {
  readonly href: string;
  readonly hash: string;
}

/** The build names its answers in the page, a preview where to ask. */
const link = document.querySelector<HTMLLinkElement>("link[data-answers]");
const server = document.querySelector<HTMLMetaElement>("meta[name=answers]")?.content;

export const isPreview = server !== undefined;

/** Files are told apart by their hashes, which only pages from a safe place can compute. */
export const arePrepared = (link !== null || isPreview) && globalThis.crypto?.subtle !== undefined;

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

/** @param files by the name of their table */
export async function preparedAnswer(sql: string, files: ReadonlyMap<string, AskedFile>): Promise<Table | undefined> {
  const stream = server === undefined ? await find(sql, files) : await ask(server, sql, files);
  return stream && tableOf(stream);
}

async function find(sql: string, files: ReadonlyMap<string, AskedFile>): Promise<Uint8Array | undefined> {
  const hashes = new Map(Array.from(files, ([name, { hash }]) => [name, hash]));
  return (await prepared)?.get(await answerKey(sql, hashes));
}

async function ask(
  address: string,
  sql: string,
  files: ReadonlyMap<string, AskedFile>,
): Promise<Uint8Array | undefined> {
  const body = JSON.stringify({ sql, files: Object.fromEntries(files) });
  const response = await fetch(address, { method: "POST", body }).catch(() => undefined);
  return response?.status === 200 ? new Uint8Array(await response.arrayBuffer()) : undefined;
}

function tableOf(stream: Uint8Array): Table {
  const reader = RecordBatchReader.from(stream).open();
  const { schema } = reader; // it has none any more once it is read
  return new Table(schema, [...reader]);
}
