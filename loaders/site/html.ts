/** What Framework's pages lack for readers who do not see them, or zoom in: added to every page, built or previewed. */
import { parse, serialize, type DefaultTreeAdapterTypes as Tree, defaultTreeAdapter as tree } from "parse5";
import { addPlaceholders } from "./placeholders.js";

/** The page, in the same order and with the same content, and with room for what its cells will show. */
export function polish(html: string): string {
  const document = parse(html);
  const all = [...elements(document)];
  all.forEach(improve);
  addPlaceholders(
    document,
    all
      .filter(({ tagName }) => tagName === "script")
      .map(textOf)
      .join("\n"),
  );
  return serialize(document);
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
