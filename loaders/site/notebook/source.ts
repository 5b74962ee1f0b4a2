/** A page's Markdown, split into its text and its code, in the order in which Framework numbers them. */

export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "block" }
  | { readonly kind: "expression" };

/** The pieces below the front matter; every block and every expression is one of Framework's cells. */
export function piecesOf(markdown: string): Piece[] {
  const body = markdown.replace(/^---\n[\s\S]*?\n---\n/, "");
  return body.split(/^```js\n([\s\S]*?)^```$/m).flatMap((part, i) => (i % 2 ? [{ kind: "block" }] : textOf(part)));
}

function textOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (let at = text.indexOf("${"); at >= 0; at = text.indexOf("${", from)) {
    pieces.push({ kind: "text", text: text.slice(from, at) }, { kind: "expression" });
    from = endOf(text, at + 2);
  }
  return [...pieces, { kind: "text", text: text.slice(from) }];
}

/** Where an expression ends: at the first brace up to which it parses. */
function endOf(text: string, from: number): number {
  for (let at = text.indexOf("}", from); at >= 0; at = text.indexOf("}", at + 1)) {
    try {
      new Function(`return async () => (${text.slice(from, at)})`);
      return at + 1;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  throw new Error(`The expression that begins with ${text.slice(from, from + 40)} has no end.`);
}
