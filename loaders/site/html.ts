/** What Framework's pages lack for readers who do not see them, or zoom in: added to every page, built or previewed. */
import { basename, dirname, join } from "node:path";
import {
  html,
  parse,
  parseFragment,
  serialize,
  type DefaultTreeAdapterTypes as Tree,
  defaultTreeAdapter as tree,
} from "parse5";
import { addFirstLook } from "./first-look.js";
import { addressFrom, fromJoined, isOwnModule, type JoinedModules } from "./modules.js";
import { makeStandalone } from "./not-found.js";
import { FORMATS } from "./notebook/formats.js";
import type { PageContent } from "./notebook/page.js";
import { addPlaceholders } from "./placeholders.js";
import { addPolicy } from "./policy.js";

/**
 * The page, in the same order and with the same content, and with room for what its cells will show.
 * @param answers the address that answers what the page asks at first
 */
export function polish(text: string, answers?: string): string {
  const document = polished(text);
  if (answers) addToHead(document, elementOf("meta", { name: "answers", content: answers }));
  return serialize(document);
}

/** Files of a built site, by their paths in it. */
export interface SiteFiles {
  read(path: string): Promise<string>;
  /** Bytes. */
  size(path: string): Promise<number>;
}

/**
 * A page as it is published: polished, with its content policy (a preview evaluates cells as they change, which the
 * policy forbids).
 */
export async function publishable(
  file: string,
  { read, size }: SiteFiles,
  modules?: JoinedModules,
  prepared?: Prepared,
): Promise<string> {
  const document = polished(await read(file));
  if (modules) takeJoined(document, dirname(file), modules);
  await largestModulesFirst(document, (address) => size(join(dirname(file), address)));
  if (prepared) {
    if (prepared.notebook) addDownloads(document, basename(file, ".html"));
    loadAhead(document, prepared);
    addFirstLook(document, prepared.content);
  }
  if (file === "404.html") await makeStandalone(document, read);
  addPolicy(document);
  return serialize(document);
}

/** The page asks for joined modules instead of each by itself. */
function takeJoined(document: Tree.Document, base: string, modules: JoinedModules): void {
  const all = [...elements(document)];
  for (const script of all.filter(({ tagName }) => tagName === "script")) {
    const text = textOf(script);
    script.childNodes = [];
    tree.insertText(script, fromJoined(text, base, modules));
  }
  const links = all.filter((element) => attribute(element, "rel") === "modulepreload");
  const files = links.map((link) => join(base, attribute(link, "href") ?? ""));
  for (const [i, link] of links.entries()) if (isOwnModule(files[i])) tree.detachNode(link);
  for (const file of modules.needs.filter((file) => !files.includes(file)))
    addToHead(document, elementOf("link", { rel: "modulepreload", href: addressFrom(base, file) }));
}

/** What takes longest to arrive and be compiled is asked for first. */
async function largestModulesFirst(document: Tree.Document, size: (address: string) => Promise<number>): Promise<void> {
  const links = [...elements(document)].filter((element) => attribute(element, "rel") === "modulepreload");
  const addresses = links.map((link) => attribute(link, "href") ?? "");
  const sized = await Promise.all(addresses.map(async (address) => ({ address, size: await size(address) })));
  for (const [i, { address }] of sized.sort((a, b) => b.size - a.size).entries()) set(links[i], "href", address);
}

/** What the build knows of a page with charts. */
export interface Prepared {
  readonly content: PageContent;
  /** The path of its prepared answers, below the site. */
  readonly answers: string;
  /** Whether it is there as a notebook, too. */
  readonly notebook: boolean;
}

/** The data travel while the page's modules do. */
function loadAhead(document: Tree.Document, { answers, content: { tables } }: Prepared): void {
  const link = (href: string, more: Record<string, string> = {}) =>
    elementOf("link", { rel: "preload", as: "fetch", crossorigin: "anonymous", href, ...more });
  addToHead(
    document,
    link(`./${answers}`, { "data-answers": "" }),
    ...Array.from(tables.values(), (path) => link(path)),
  );
}

function addToHead(document: Tree.Document, ...nodes: Tree.Element[]): void {
  const head = [...elements(document)].find(({ tagName }) => tagName === "head");
  if (head) for (const node of nodes) tree.appendChild(head, node);
}

export function elementOf(name: string, attributes: Readonly<Record<string, string>>): Tree.Element {
  return tree.createElement(
    name,
    html.NS.HTML,
    Object.entries(attributes).map(([name, value]) => ({ name, value })),
  );
}

/** A line at the end of the page with the files that the build writes beside it. */
function addDownloads(document: Tree.Document, name: string): void {
  const main = [...elements(document)].find(({ tagName }) => tagName === "main");
  const links = Object.entries(FORMATS).map(([ending, title]) => `<a href="./${name}.${ending}" download>${title}</a>`);
  const line = parseFragment(`<p class="take-away">Take this page away: ${links.join(", ")}.</p>`);
  if (main) for (const node of [...line.childNodes]) tree.appendChild(main, node);
}

function polished(text: string): Tree.Document {
  const document = parse(text);
  const all = [...elements(document)];
  all.forEach(improve);
  addPlaceholders(
    document,
    all
      .filter(({ tagName }) => tagName === "script")
      .map(textOf)
      .join("\n"),
  );
  return document;
}

function improve(element: Tree.Element): void {
  switch (element.tagName) {
    case "html":
      set(element, "lang", "en");
      break;
    case "meta":
      // Framework forbids zooming in.
      if (attribute(element, "name") === "viewport") set(element, "content", "width=device-width, initial-scale=1");
      break;
  }
  switch (attribute(element, "id")) {
    case "observablehq-toc":
      set(element, "aria-label", "On this page");
      break;
  }
}

export function* elements(node: Tree.ParentNode): Generator<Tree.Element> {
  for (const child of node.childNodes) {
    if (!tree.isElementNode(child)) continue;
    yield child;
    yield* elements("content" in child ? (child as Tree.Template).content : child);
  }
}

export function attribute(element: Tree.Element, name: string): string | undefined {
  return element.attrs.find((it) => it.name === name)?.value;
}

export function textOf(element: Tree.Element): string {
  return element.childNodes.map((node) => (tree.isTextNode(node) ? node.value : "")).join("");
}

function set(element: Tree.Element, name: string, value: string): void {
  const existing = element.attrs.find((it) => it.name === name);
  if (existing) existing.value = value;
  else element.attrs.push({ name, value });
}
