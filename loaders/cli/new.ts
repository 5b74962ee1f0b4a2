/** Starts an experiment: a file with a method, a page and a test, which run as they are and are there to be changed. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../engine/errors.js";
import { readCatalogue } from "../catalogue/paper.js";
import { messages } from "../messages.js";
import { projectPath, root } from "../project.js";
import { absent, writeFlushed } from "../store/system.js";
import { nearest } from "./experiments.js";

const templates = join(root, "loaders/templates");

/** Names of modules and pages that are something else. */
const taken = ["index", "404", "papers", "model"];

/** @throws {UserError} where the name cannot be used, a file of it exists, or there is no such paper */
export async function newExperiment(name: string, { paper }: { readonly paper?: string }): Promise<void> {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || taken.includes(name)) throw new UserError(messages.badName(name));
  if (paper !== undefined) await refuseUnknownPaper(paper);
  const files = {
    "experiment.ts.txt": join(root, `loaders/experiments/${name}.ts`),
    "test.ts.txt": join(root, `test/unit/experiments/${name}.test.ts`),
    "page.md.txt": join(root, `src/${name}.md`),
  };
  for (const file of Object.values(files)) {
    if (await stat(file).catch(absent)) throw new UserError(messages.fileExists(projectPath(file)));
  }
  for (const [template, file] of Object.entries(files)) {
    await writeFlushed(file, filled(await readFile(join(templates, template), "utf8"), name, paper));
    console.log(projectPath(file));
  }
}

async function refuseUnknownPaper(paper: string): Promise<void> {
  const slugs = (await readCatalogue()).map(({ slug }) => slug);
  if (!slugs.includes(paper)) throw new UserError(messages.unknownPaper(paper, nearest(paper, slugs)));
}

function filled(template: string, name: string, paper: string | undefined): string {
  const words = name.replaceAll("-", " ");
  return template
    .replaceAll(
      "IDENTIFIER",
      name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
    )
    .replaceAll("TITLE", words[0].toUpperCase() + words.slice(1))
    .replaceAll("PAPERS", paper ? JSON.stringify(paper) : "")
    .replaceAll("PAPER", paper ?? "none")
    .replaceAll("NAME", name);
}
