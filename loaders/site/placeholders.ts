/**
 * Room for what the cells of a page will show, so that its text does not jump when they do. Framework removes an
 * `observablehq-loading` element before a cell's comment as soon as the cell displays something.
 */
import { html, type DefaultTreeAdapterTypes as Tree, defaultTreeAdapter as tree } from "parse5";

/**
 * Pixels, about: caption, margins and passport of a figure; the chart of one that names no height; three controls in a
 * row; and one of several on a phone.
 */
const room = { aroundChart: 190, chart: 280, controls: 76, narrowControl: 54 };

interface Room {
  readonly height: number;
  /** On a phone. */
  readonly narrow: number;
}

/** What is as high as it is, by the function that makes it; of the table of papers, so much that the footer is below. */
const known: readonly (readonly [maker: RegExp, Room])[] = [
  [/\bpaperFilters\(/, { height: 138, narrow: 259 }],
  [/\bpaperTable\(/, { height: 600, narrow: 600 }],
];

/** `scripts` is the text of the page's module, in which Framework defines its cells. */
export function addPlaceholders(document: Tree.ParentNode, scripts: string): void {
  const rooms = new Map(
    scripts.split(/^define\(\{id: "/m).map((cell) => [`:${cell.slice(0, cell.indexOf('"'))}:`, roomOf(cell)]),
  );
  for (const comment of [...comments(document)]) {
    const { height, narrow } = rooms.get(comment.data) ?? { height: 0, narrow: 0 };
    if (!height || !comment.parentNode) continue;
    const onPhone = narrow > height ? `; --narrow: ${narrow}px` : "";
    const style = { name: "style", value: `min-height: ${height}px${onPhone}` };
    const loading = tree.createElement("observablehq-loading", html.NS.HTML, [style]);
    tree.insertBefore(comment.parentNode, loading, comment);
  }
}

/** What a cell will take; nothing for one that shows nothing, or whose place is sized by the style sheet. */
function roomOf(cell: string): Room {
  if (/\bcompact: true\b/.test(cell)) return { height: 0, narrow: 0 };
  for (const [maker, its] of known) if (maker.test(cell)) return its;
  const [before, ...figures] = cell.split(/\b(?:figure|live)\(\{/);
  const charts = figures
    .map((options) => Number(options.match(/\bheight: (\d+)/)?.[1] ?? room.chart) + room.aroundChart)
    .reduce((sum, height) => sum + height, 0);
  const controls = before.match(/\bview\((?:slider|choice|toggle)\(/g)?.length ?? 0;
  const narrow = controls > 2 ? controls * room.narrowControl : 0;
  return { height: Math.ceil(controls / 3) * room.controls + charts, narrow: narrow + charts };
}

export function* comments(node: Tree.ParentNode): Generator<Tree.CommentNode> {
  for (const child of node.childNodes) {
    if (tree.isCommentNode(child)) yield child;
    else if (tree.isElementNode(child)) yield* comments(child);
  }
}
