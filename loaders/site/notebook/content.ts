/** A page as a sequence of text and charts, from which every format is written. */
import type { PageContent } from "./page.js";
import type { ShownFigure, ShownVerdicts } from "./shown.js";
import { piecesOf } from "./source.js";

export type Part = { readonly kind: "text"; readonly text: string } | ShownFigure | ShownVerdicts;

/** @throws {Error} where the Markdown and the built page do not have the same cells */
export function partsOf(markdown: string, { cells }: PageContent): Part[] {
  const pieces = piecesOf(markdown);
  const code = pieces.filter(({ kind }) => kind !== "text").length;
  if (code !== cells.size) throw new Error(`it has ${cells.size} cells, but its Markdown has ${code}`);
  const parts: Part[] = [];
  let text = "";
  const inOrder = cells.values();
  const endText = () => {
    const plain = withoutFrames(text);
    if (plain) parts.push({ kind: "text", text: plain });
    text = "";
  };
  for (const piece of pieces) {
    if (piece.kind === "text") {
      text += piece.text;
      continue;
    }
    for (const shown of inOrder.next().value ?? []) {
      if (shown.kind === "text") text += shown.text;
      else if (shown.kind !== "control" && shown.kind !== "live") {
        endText();
        parts.push(shown);
      }
    }
  }
  endText();
  return parts;
}

/** Text without the elements that only lay it out. */
function withoutFrames(text: string): string {
  return text
    .replace(/^<\/?(?:div|section)\b.*>$/gm, "")
    .replace(/<p class="lede">([\s\S]*?)<\/p>/g, "$1")
    .replace(
      /<h(\d)><a href="(.*?)">(.*?)<\/a><\/h\1>/g,
      (_, level, href, name) => `${"#".repeat(level)} [${name}](${href})`,
    )
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

export function verdictText({ rows }: ShownVerdicts): string {
  return rows
    .map(({ statement, outcome, measure, estimate, low, high, n, rule }) => {
      const interval = low === null || high === null ? "" : ` [${low}, ${high}]`;
      return `- **${statement}** ${outcome}. ${measure}: ${estimate}${interval}, n = ${n}. Rule: ${rule}`;
    })
    .join("\n");
}
