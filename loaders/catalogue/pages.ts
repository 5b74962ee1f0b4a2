/** The pages of all papers, put into Framework's cache at once: run one by one, their loader would take minutes. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { siteCache } from "../project.js";
import { cacheData } from "../site/cache.js";
import type { Result } from "../store/result.js";
import { writeFlushed } from "../store/system.js";
import { paperPage } from "./page.js";
import { readCatalogue } from "./paper.js";
import { studiesByPaper } from "./studies.js";
import { newest, servedCatalogue } from "./table.js";

const pagesCache = join(siteCache, "papers");

/** The Markdown of one paper's page; undefined where there is no such paper. */
export async function pageOfPaper(slug: string): Promise<string | undefined> {
  const paper = (await readCatalogue()).find((entry) => entry.slug === slug);
  return paper && paperPage(paper, (await studiesByPaper()).get(slug) ?? []);
}

export async function fillPages(): Promise<void> {
  const studies = await studiesByPaper();
  await rm(pagesCache, { recursive: true, force: true });
  for (const paper of await readCatalogue()) {
    await writeFlushed(join(pagesCache, `${paper.slug}.md`), paperPage(paper, studies.get(paper.slug) ?? []));
  }
}

/** The table behind the page of all papers, dated so that equal results make equal pages. */
export async function cacheCatalogue(results: readonly Result[]): Promise<void> {
  await cacheData("catalogue.arrow", await servedCatalogue(results), new Date(newest(results)));
}
