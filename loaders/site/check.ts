/**
 * What is wrong with a built site. Framework exits with 0 where a cell does not parse, an import is not found or a link
 * leads nowhere; only its output shows it.
 */
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { parse } from "parse5";
import { attribute, elements } from "./html.js";

interface Page {
  /** Relative to the site. */
  readonly path: string;
  readonly html: string;
  readonly anchors: ReadonlySet<string>;
  /** Addresses of everything that the page links to or loads. */
  readonly links: readonly string[];
}

/** One sentence per defect; none where the site is whole. */
export async function siteDefects(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((it) => it.isFile()).map((it) => relative(folder, join(it.parentPath, it.name)));
  const htmlFiles = files.filter((file) => file.endsWith(".html"));
  const pages = new Map(
    await Promise.all(htmlFiles.map(async (path) => [path, await readPage(folder, path)] as const)),
  );
  const known = new Set(files);
  const scripts = await Promise.all(
    files.filter(isOurs).map(async (path) => ({ path, text: await readFile(join(folder, path), "utf8") })),
  );
  return [
    ...[...pages.values()].flatMap((page) => [
      ...cellErrors(page),
      ...brokenLinks(page, known, pages),
      ...badImports(page.path, page.html, known),
    ]),
    ...scripts.flatMap(({ path, text }) => badImports(path, text, known)),
  ];
}

/** Framework's own scripts name packages that it only loads for pages that use them, which none of ours does. */
const isOurs = (file: string) => file.endsWith(".js") && !file.startsWith("_observablehq/");

async function readPage(folder: string, path: string): Promise<Page> {
  const html = await readFile(join(folder, path), "utf8");
  const all = [...elements(parse(html))];
  return {
    path,
    html,
    anchors: new Set(all.flatMap((element) => attribute(element, "id") ?? attribute(element, "name") ?? [])),
    links: all.flatMap((element) => attribute(element, "href") ?? attribute(element, "src") ?? []),
  };
}

function cellErrors({ path, html }: Page): string[] {
  return html.includes("observablehq--error") ? [`${path}: a cell or an expression has an error`] : [];
}

const isExternal = (address: string) => /^[a-z][a-z\d+.-]*:/i.test(address) || address.startsWith("//");

function brokenLinks({ path, links }: Page, files: ReadonlySet<string>, pages: ReadonlyMap<string, Page>): string[] {
  return links.flatMap((link) => {
    if (isExternal(link)) return [];
    const [address, anchor] = link.split("#");
    const target = address === "" ? path : fileOf(resolve(path, address), files);
    if (target === undefined) return [`${path}: ${link} leads nowhere`];
    const found = anchor && pages.get(target)?.anchors.has(decodeURIComponent(anchor)) === false;
    return found ? [`${path}: ${link} leads to no heading or element`] : [];
  });
}

function resolve(from: string, address: string): string {
  const path = decodeURIComponent(address.split("?")[0]);
  return path.startsWith("/") ? path.slice(1) : join(dirname(from), path).replace(/^\.\/?$/, "");
}

function fileOf(path: string, files: ReadonlySet<string>): string | undefined {
  return [path, join(path, "index.html"), `${path.replace(/\/$/, "")}.html`].find((candidate) => files.has(candidate));
}

/** Static and dynamic imports, and addresses that are resolved against a module. */
const imports = /(?:\bfrom|\bimport|\bimport\(|import\.meta\.resolve\()\s*["']([^"'\n]+)["']/g;

/** Imports that a browser could not resolve within the site. */
function badImports(path: string, text: string, files: ReadonlySet<string>): string[] {
  return [...text.matchAll(imports)].flatMap(([, address]) => {
    if (/^\.{0,2}\//.test(address) && files.has(resolve(path, address))) return [];
    return [`${path}: imports ${address}, which is not part of the site`];
  });
}
