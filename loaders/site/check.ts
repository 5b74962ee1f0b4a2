/**
 * What is wrong with a built site. Framework exits with 0 where a cell does not parse, an import is not found or a link
 * leads nowhere; only its output shows it.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { parse } from "parse5";
import { attribute, elements, textOf } from "./html.js";
import { importsOf } from "./imports.js";

interface Page {
  /** Relative to the site. */
  readonly path: string;
  /** Whether Framework wrote an error in the place of a cell. */
  readonly broken: boolean;
  readonly anchors: ReadonlySet<string>;
  /** Addresses of everything that the page links to or loads. */
  readonly links: readonly string[];
  /** Its own module code. */
  readonly script: string;
}

/** One sentence per defect; none where the site is whole. */
export async function siteDefects(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = new Set(
    entries.filter((it) => it.isFile()).map((it) => relative(folder, join(it.parentPath, it.name))),
  );
  const read = (path: string) => readFile(join(folder, path), "utf8");
  const pages = await Promise.all([...files].filter(isPage).map(async (path) => pageOf(path, await read(path))));
  const scripts = await Promise.all([...files].filter(isOurs).map(async (path) => [path, await read(path)] as const));
  const modules = new Map([...scripts, ...pages.map(({ path, script }) => [path, script] as const)]);
  const sizes = await Promise.all(
    [...files].map(async (path) => [path, (await stat(join(folder, path))).size] as const),
  );
  return [
    ...sizes.flatMap(tooLarge),
    ...pages.flatMap(cellErrors),
    ...pages.flatMap((page) => brokenLinks(page, files, pages)),
    ...[...(await importsOf(modules))].flatMap(([path, addresses]) => badImports(path, addresses, files)),
  ];
}

/** Bytes that a file may have on every static host; Cloudflare Pages takes no more. */
const LARGEST = 25 * 2 ** 20;

function tooLarge([path, size]: readonly [string, number]): string[] {
  return size > LARGEST ? [`${path}: ${size} bytes are more than some static hosts take (${LARGEST})`] : [];
}

const isPage = (file: string) => file.endsWith(".html");

/** Framework's own scripts name packages that it only loads for pages that use them, which none of ours does. */
const isOurs = (file: string) => file.endsWith(".js") && !file.startsWith("_observablehq/");

function pageOf(path: string, html: string): Page {
  const all = [...elements(parse(html))];
  const scripts = all.filter((element) => element.tagName === "script" && attribute(element, "type") === "module");
  return {
    path,
    broken: all.some((element) => attribute(element, "class")?.includes("observablehq--error")),
    anchors: new Set(all.flatMap((element) => attribute(element, "id") ?? attribute(element, "name") ?? [])),
    links: all.flatMap((element) => attribute(element, "href") ?? attribute(element, "src") ?? []),
    script: scripts.map(textOf).join("\n"),
  };
}

function cellErrors({ path, broken }: Page): string[] {
  return broken ? [`${path}: a cell or an expression has an error`] : [];
}

const isExternal = (address: string) => /^[a-z][a-z\d+.-]*:/i.test(address) || address.startsWith("//");

function brokenLinks({ path, links }: Page, files: ReadonlySet<string>, pages: readonly Page[]): string[] {
  return links.flatMap((link) => {
    if (isExternal(link)) return [];
    const [address, anchor] = link.split("#");
    const target = address === "" ? path : fileOf(resolve(path, address), files);
    if (target === undefined) return [`${path}: ${link} leads nowhere`];
    const found = anchor && pages.find((page) => page.path === target)?.anchors.has(decoded(anchor)) === false;
    return found ? [`${path}: ${link} leads to no heading or element`] : [];
  });
}

/** As browsers do, which take a percent sign that encodes nothing for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

function resolve(from: string, address: string): string {
  const path = decoded(address.split("?")[0]);
  return path.startsWith("/") ? path.slice(1) : join(dirname(from), path).replace(/^\.\/?$/, "");
}

function fileOf(path: string, files: ReadonlySet<string>): string | undefined {
  return [path, join(path, "index.html"), `${path.replace(/\/$/, "")}.html`].find((candidate) => files.has(candidate));
}

/** Imports that a browser could not resolve within the site. */
function badImports(path: string, addresses: readonly string[], files: ReadonlySet<string>): string[] {
  return addresses.flatMap((address) => {
    const isFile = /^\.{0,2}\//.test(address) && files.has(resolve(path, address));
    return isFile ? [] : [`${path}: imports ${address}, which is not part of the site`];
  });
}
