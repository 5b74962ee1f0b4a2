/** The index behind the search page, search.json: every section of every page, found by its words. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import MiniSearch from "minisearch";
import { parse, type DefaultTreeAdapterTypes as Tree, defaultTreeAdapter as tree } from "parse5";
import { metrics } from "../../engine/metrics/index.js";
import { siteConfig, siteSource } from "../project.js";
import { attribute, elements } from "./html.js";

/** What is found: a heading with the text below it. */
interface Section {
  readonly id: string;
  readonly page: string;
  readonly heading: string;
  readonly text: string;
  readonly beginning: string;
}

/** They travel with the index, because what reads it needs them, too. */
const options = {
  fields: ["page", "heading", "text"],
  storeFields: ["page", "heading", "beginning"],
  searchOptions: { boost: { page: 2, heading: 3 }, prefix: true, fuzzy: 0.2 },
};

/** Characters that a result shows. */
const SHOWN = 180;

/** The content of search.json. */
interface SearchIndex {
  readonly options: typeof options;
  readonly index: MiniSearch<Section>;
}

/** `files` are those of the built site. */
export async function writeSearchIndex(site: string, files: readonly string[]): Promise<void> {
  const index = await searchIndex(files, (file) => readFile(join(site, file), "utf8"));
  await writeFile(join(site, "search.json"), JSON.stringify(index));
}

/** Of the pages as they are while the site is written. */
export async function searchIndexOfSources(): Promise<SearchIndex> {
  const { readConfig } = await import("@observablehq/framework/dist/config.js");
  const config = await readConfig(siteConfig, siteSource);
  const paths: string[] = [];
  for await (const path of config.paths()) paths.push(path);
  return searchIndex(
    paths.map((path) => `${path.slice(1)}.html`),
    async (file) => {
      const path = `/${file.replace(/\.html$/, "")}`;
      const { body } = await config.loaders.loadPage(path, { ...config, path });
      return `<main>${body}</main>`;
    },
  );
}

/** Its sections come from the registry, in the browser. */
const METRICS = "metrics.html";

function metricSections(): Section[] {
  return metrics.map(({ id, formula, edges, unit, source }) => ({
    id: `./${METRICS.replace(".html", "")}#${id}`,
    page: "Metrics",
    heading: id.replaceAll("-", " "),
    text: `${edges} ${unit} ${source}`,
    beginning: `${formula}. ${edges}`,
  }));
}

const isSearched = (file: string) => !/^(?:404|search)\.html$/.test(file);

async function searchIndex(files: readonly string[], read: (file: string) => Promise<string>): Promise<SearchIndex> {
  const index = new MiniSearch<Section>(options);
  for (const file of files.filter(isSearched).sort()) index.addAll(sectionsOf(file, await read(file)));
  if (files.includes(METRICS)) index.addAll(metricSections());
  return { options, index };
}

/** An id is the address of its section. */
function sectionsOf(file: string, html: string): Section[] {
  const main = [...elements(parse(html))].find(({ tagName }) => tagName === "main");
  const address = `./${file.replace(/(?:(?<=^|\/)index)?\.html$/, "")}`;
  const sections: { anchor: string; heading: string; text: string }[] = [];
  const walk = (node: Tree.ParentNode) => {
    for (const child of node.childNodes) {
      if (tree.isTextNode(child)) {
        const last = sections.at(-1);
        if (last) last.text += child.value;
      } else if (tree.isElementNode(child)) {
        if (/^h[1-3]$/.test(child.tagName))
          sections.push({ anchor: attribute(child, "id") ?? "", heading: plainText(child), text: "" });
        else walk(child);
      }
    }
  };
  if (main) walk(main);
  const page = sections[0]?.heading ?? "";
  return sections.map(({ anchor, heading, text }, i) => {
    const words = text.replace(/\s+/g, " ").trim();
    const beginning = words.length > SHOWN ? `${words.slice(0, words.lastIndexOf(" ", SHOWN))} …` : words;
    return { id: i === 0 ? address : `${address}#${anchor || i}`, page, heading, text: words, beginning };
  });
}

function plainText(node: Tree.ParentNode): string {
  return node.childNodes
    .map((child) => (tree.isTextNode(child) ? child.value : tree.isElementNode(child) ? plainText(child) : ""))
    .join("");
}
