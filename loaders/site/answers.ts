/** Answers to what a page asks when it is opened, beside the page, which draws them before its database has started. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Binary, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
import { sha256 } from "../store/hash.js";
import type { PageAnswer, PageContent } from "./notebook/page.js";

const folder = "_file/answers";

/** @returns the path of each page's file below the site, with a hash in its name; components/answers.ts reads them */
export async function writeAnswers(
  site: string,
  contents: ReadonlyMap<string, PageContent>,
): Promise<ReadonlyMap<string, string>> {
  await mkdir(join(site, folder), { recursive: true });
  const written = new Map<string, string>();
  for (const [page, { answers }] of contents) {
    const bytes = encoded(answers);
    const path = `${folder}/${page.replace(/\.html$/, "")}.${sha256(bytes).slice(0, 8)}.arrow`;
    await writeFile(join(site, path), bytes);
    written.set(page, path);
  }
  return written;
}

function encoded(answers: readonly PageAnswer[]): Uint8Array {
  const text = (values: readonly string[]) => vectorFromArray(values, new Utf8());
  return tableToIPC(
    new Table({
      sql: text(answers.map(({ sql }) => sql)),
      key: text(answers.map(({ key }) => key)),
      answer: vectorFromArray(
        answers.map(({ stream }) => stream),
        new Binary(),
      ),
    }),
    "stream",
  );
}
