/** What the experiments say about a paper: their claims, their method as its author wrote it, and their page. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Claim, Experiment } from "../experiment.js";
import { experimentIds, loadExperiment } from "../experiments/index.js";
import { root, siteSource } from "../project.js";

export interface Study {
  readonly experiment: Experiment;
  /** Those about the paper. */
  readonly claims: readonly Claim<unknown>[];
  /** The comment that opens the experiment's file, paragraph by paragraph. */
  readonly method: readonly string[];
  /** Address of the page that shows its results, where there is one. */
  readonly page?: string;
}

/** The studies of each paper, by its slug. An experiment that is broken has none: whoever asks for its result is told why. */
export async function studiesByPaper(): Promise<Map<string, Study[]>> {
  const found = new Map<string, Study[]>();
  const pages = await pagesByExperiment();
  const ids = await experimentIds();
  const loaded = await Promise.allSettled(ids.map(loadExperiment));
  for (const [i, id] of ids.entries()) {
    const module = loaded[i];
    if (module.status === "rejected") continue;
    const experiment = module.value;
    const method = openingComment(await readFile(join(root, `loaders/experiments/${id}.ts`), "utf8"));
    for (const paper of new Set(experiment.claims.map((claim) => claim.paper))) {
      const claims = experiment.claims.filter((claim) => claim.paper === paper);
      found.set(paper, [...(found.get(paper) ?? []), { experiment, claims, method, page: pages.get(id) }]);
    }
  }
  return found;
}

/** Paragraphs of the first block comment; the items of a list are paragraphs too. */
export function openingComment(source: string): string[] {
  const [, comment = ""] = /^\s*\/\*\*(.*?)\*\//s.exec(source) ?? [];
  const lines = comment.split("\n").map((line) => line.replace(/^\s*\*? ?/, ""));
  return lines
    .join("\n")
    .split(/\n\s*\n|\n(?=\d+\. )/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim())
    .filter((paragraph) => paragraph !== "");
}

/** A page shows an experiment where it attaches its verdicts; the home page, which attaches all, is none. */
async function pagesByExperiment(): Promise<Map<string, string>> {
  const files = (await readdir(siteSource)).filter((name) => name.endsWith(".md") && name !== "index.md");
  const pages = new Map<string, string>();
  for (const file of files) {
    const text = await readFile(join(siteSource, file), "utf8");
    for (const [, id] of text.matchAll(/"data\/([\w-]+)\/verdicts\.arrow"/g)) pages.set(id, `/${file.slice(0, -3)}`);
  }
  return pages;
}
