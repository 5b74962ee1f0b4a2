/** A page as a sequence of text and charts, from which every format is written. */
import type { PageContent, ShownFigure, ShownVerdicts } from "./page.js";
import { piecesOf } from "./source.js";

export type Part = { readonly kind: "text"; readonly text: string } | ShownFigure | ShownVerdicts;

/** @throws {Error} where the Markdown and the built page do not have the same cells */
export function partsOf(markdown: string, { cells }: PageContent): Part[] {
  const pieces = piecesOf(markdown);
  const code = pieces.filter(({ kind }) => kind !== "text").length;
  if (code !== cells.length) throw new Error(`it has ${cells.length} cells, but its Markdown has ${code}`);
  const parts: Part[] = [];
  let text = "";
  let next = 0;
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
    for (const shown of cells[next++]) {
      if (shown.kind === "text") text += shown.text;
      else {
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
