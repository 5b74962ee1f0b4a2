/** Every page that has charts, as files to take away: a notebook, Markdown, and citations. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { siteSource } from "../../project.js";
import { absent } from "../../store/system.js";
import { bibtexOf, cffOf, sentenceOf } from "./citation.js";
import { partsOf } from "./content.js";
import { NodeDatabase } from "./database.js";
import type { FORMATS } from "./formats.js";
import { notebook } from "./ipynb.js";
import { markdownOf } from "./markdown.js";
import { PageMemory } from "./memory.js";
import { type PageContent, readPage } from "./page.js";

/** Whether a page has charts, and a Markdown of its own. */
export async function hasCharts(page: string): Promise<boolean> {
  return /\bfigure\(\{/.test(await markdownAt(page));
}

/** Whether a page with charts becomes a notebook: one that is a tool and not a report says `notebook: false`. */
export async function isNotebook(page: string): Promise<boolean> {
  return !/^notebook: false$/m.test(await markdownAt(page));
}

const markdownAt = async (page: string) => (await readFile(sourceOf(page), "utf8").catch(absent)) ?? "";

const nameOf = (page: string) => page.replace(/\.html$/, "");
const sourceOf = (page: string) => join(siteSource, `${nameOf(page)}.md`);

/** What each of these pages shows. @throws {Error} where one cannot be read, with its name */
export async function readPages(site: string, pages: readonly string[]): Promise<ReadonlyMap<string, PageContent>> {
  if (pages.length === 0) return new Map();
  const memory = await PageMemory.open(site);
  let db: NodeDatabase | undefined; // takes a second to start
  const read = async (page: string) => {
    db ??= await NodeDatabase.open();
    return readPage(site, page, db);
  };
  const contents = new Map<string, PageContent>();
  for (const page of pages) contents.set(page, await named(page, () => memory.content(page, () => read(page))));
  await memory.forgetOthers();
  return contents;
}

/** @throws {Error} where a page cannot be written as a notebook, with its name */
export async function writeNotebooks(site: string, contents: ReadonlyMap<string, PageContent>): Promise<void> {
  for (const [page, content] of contents)
    if (await isNotebook(page)) await named(page, () => writePage(site, page, content));
}

async function named<T>(page: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${page} cannot be a notebook: ${error instanceof Error ? error.message : error}`);
  }
}

async function writePage(site: string, page: string, content: PageContent): Promise<void> {
  const name = nameOf(page);
  const markdown = await markdownAt(page);
  const parts = partsOf(markdown, content);
  const title = /^title: (.*)$/m.exec(markdown)?.[1] ?? name;
  const cited = { name, title, passports: content.passports };
  const files: Record<keyof typeof FORMATS, string> = {
    ipynb: notebook(parts, content),
    md: markdownOf(parts, sentenceOf(cited)),
    bib: bibtexOf(cited),
    cff: cffOf(cited),
  };
  for (const [ending, text] of Object.entries(files)) await writeFile(join(site, `${name}.${ending}`), text);
}
