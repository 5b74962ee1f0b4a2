/** A copy of this project with ten pages: the home page and those that the header leads to, without the lab. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root, workFolder } from "../project.js";

const pages = [
  "index",
  "entropy",
  "sinks",
  "basin",
  "positional-bias",
  "long-context",
  "kv-policies",
  "model",
  "papers",
  "benchmarks",
];

const taken = [
  "components",
  "data",
  "engine",
  "loaders",
  "observablehq.config.ts",
  "package-lock.json",
  "package.json",
  "src",
  "tsconfig.json",
];

/** The copy is there while `use` runs. It lies in the project, so that packages are found. */
export async function withTenPages<T>(use: (copy: string) => Promise<T>): Promise<T> {
  await mkdir(workFolder, { recursive: true });
  const copy = await mkdtemp(join(workFolder, "ten-pages-"));
  try {
    for (const name of taken)
      await cp(join(root, name), join(copy, name), { recursive: true, verbatimSymlinks: true, filter: isSource });
    await reduce(copy);
    return await use(copy);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

const isSource = (path: string) => !path.includes("/.observablehq");

async function reduce(copy: string): Promise<void> {
  await edit(join(copy, "data/catalogue.json"), () => "[]\n");
  await edit(join(copy, "observablehq.config.ts"), (text) => text.replace(/^.*path: "\/lab".*\n/m, ""));
  const source = join(copy, "src");
  for (const file of (await readdir(source)).filter((name) => name.endsWith(".md"))) {
    const path = join(source, file);
    if (pages.includes(file.slice(0, -".md".length))) await edit(path, withoutOtherLinks);
    else await rm(path);
  }
}

/** Links to pages that are not there become their text, because a build refuses links that lead nowhere. */
function withoutOtherLinks(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\(\.\/([\w/-]+)(?:#[\w-]+)?\)/g, (link, text, page) =>
    pages.includes(page) ? link : text,
  );
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, "utf8")));
}
