/**
 * The page of an address that leads nowhere. A host shows it at any depth below a path that only the host knows, so it
 * brings its style along, and looks for the site among the folders of the address that was asked for.
 */
import { html, type DefaultTreeAdapterTypes as Tree, defaultTreeAdapter as tree } from "parse5";
import { attribute, elements, textOf } from "./html.js";

/** `read` gives the text of a file of the site. */
export async function makeStandalone(document: Tree.Document, read: (path: string) => Promise<string>): Promise<void> {
  const all = [...elements(document)];
  const base = all.find(({ tagName }) => tagName === "base");
  const sheet = all.find((element) => attribute(element, "rel") === "stylesheet");
  const href = sheet && attribute(sheet, "href");
  if (!base?.parentNode || !sheet?.parentNode || !href) throw new Error("The page 404.html has no base or no style.");
  replace(sheet, "style", await read(href));
  const find = tree.createElement("script", html.NS.HTML, []);
  tree.insertText(find, search(href));
  tree.insertBefore(base.parentNode, find, base.parentNode.childNodes[base.parentNode.childNodes.indexOf(base) + 1]);
  const needsFiles = (element: Tree.Element) =>
    element.tagName === "link" || (element.tagName === "script" && /^\s*import\b/.test(textOf(element)));
  for (const element of all.filter(needsFiles)) tree.detachNode(element);
}

function replace(element: Tree.Element, tagName: string, text: string): void {
  const other = tree.createElement(tagName, html.NS.HTML, []);
  tree.insertText(other, text);
  tree.insertBefore(element.parentNode!, other, element);
  tree.detachNode(element);
}

/** Sets the base of all links to the first folder on the way to this address that holds the site's style sheet. */
const search = (style: string) => `
(async () => {
  const folders = location.pathname.split("/");
  for (let depth = 1; depth < folders.length; ++depth) {
    const root = folders.slice(0, depth).join("/") + "/";
    const response = await fetch(new URL(${JSON.stringify(style)}, new URL(root, location.origin)), {method: "HEAD"});
    if (response.ok) return void (document.querySelector("base").href = root);
  }
})();
`;
