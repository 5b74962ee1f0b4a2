/**
 * The content security policy of a built page, as an element of the page itself, because a static host sends no headers
 * of ours: scripts of the site alone, no eval, and no other origin for anything.
 */
import { createHash } from "node:crypto";
import { html, type DefaultTreeAdapterTypes as Tree, defaultTreeAdapter as tree } from "parse5";
import { attribute, elements, textOf } from "./html.js";

/** Goes first into the head: what stands before a policy is not subject to it. Call it when nothing changes any more. */
export function addPolicy(document: Tree.Document): void {
  const all = [...elements(document)];
  const inline = all.filter((element) => element.tagName === "script" && attribute(element, "src") === undefined);
  const hashes = inline.map((script) => `'sha256-${createHash("sha256").update(textOf(script)).digest("base64")}'`);
  const head = all.find(({ tagName }) => tagName === "head");
  const content = policy([...new Set(hashes)]);
  const meta = tree.createElement("meta", html.NS.HTML, [
    { name: "http-equiv", value: "Content-Security-Policy" },
    { name: "content", value: content },
  ]);
  // The character set has to stand within the first kilobyte.
  const charset = all.find((element) => attribute(element, "charset") !== undefined);
  if (head) tree.insertBefore(head, meta, charset ? after(charset) : head.childNodes[0]);
}

function after(element: Tree.Element): Tree.ChildNode {
  const siblings = element.parentNode?.childNodes ?? [];
  return siblings[siblings.indexOf(element) + 1];
}

function policy(scripts: readonly string[]): string {
  return Object.entries({
    "default-src": ["'none'"],
    "script-src": ["'self'", "'wasm-unsafe-eval'", ...scripts],
    "worker-src": ["'self'"],
    "connect-src": ["'self'"],
    "style-src": ["'self'", "'unsafe-inline'"], // charts and tooltips set styles
    "img-src": ["'self'", "data:", "blob:"],
    "font-src": ["'self'"],
    "base-uri": ["'self'"],
    "form-action": ["'self'"],
  })
    .map(([directive, sources]) => [directive, ...sources].join(" "))
    .join("; ");
}
