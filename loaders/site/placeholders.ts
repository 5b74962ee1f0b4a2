/**
 * Room for what the cells of a page will show, so that its text does not jump when they do. Framework removes an
 * `observablehq-loading` element before a cell's comment as soon as the cell displays something.
 */
import { html, type DefaultTreeAdapterTypes as Tree, defaultTreeAdapter as tree } from "parse5";

/** Pixels, about: caption, margins and passport of a figure; the chart of one that names no height; three controls. */
const room = { aroundChart: 190, chart: 280, controls: 76 };

/** `scripts` is the text of the page's module, in which Framework defines its cells. */
export function addPlaceholders(document: Tree.ParentNode, scripts: string): void {
  const heights = new Map(
    scripts.split(/^define\(\{id: "/m).map((cell) => [`:${cell.slice(0, cell.indexOf('"'))}:`, heightOf(cell)]),
  );
  for (const comment of [...comments(document)]) {
    const height = heights.get(comment.data);
    if (!height || !comment.parentNode) continue;
    const style = { name: "style", value: `min-height: ${height}px` };
    const loading = tree.createElement("observablehq-loading", html.NS.HTML, [style]);
    tree.insertBefore(comment.parentNode, loading, comment);
  }
}

/** What a cell will take; nothing for one that shows nothing, or whose place is sized by the style sheet. */
function heightOf(cell: string): number {
  if (/\bcompact: true\b/.test(cell)) return 0;
  const [before, ...figures] = cell.split(/\bfigure\(\{/);
  const charts = figures.map((options) => Number(options.match(/\bheight: (\d+)/)?.[1] ?? room.chart));
  const controls = before.match(/\bview\((?:slider|choice|toggle)\(/g)?.length ?? 0;
  return Math.ceil(controls / 3) * room.controls + charts.reduce((sum, height) => sum + height + room.aroundChart, 0);
}

function* comments(node: Tree.ParentNode): Generator<Tree.CommentNode> {
  for (const child of node.childNodes) {
    if (tree.isCommentNode(child)) yield child;
    else if (tree.isElementNode(child)) yield* comments(child);
  }
}
