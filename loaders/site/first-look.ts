/**
 * What a page shows when it is opened, in the page itself: until a cell has run, its place holds its claim, its text or
 * its controls. The findings are there at once, and without any script, and nothing moves when the charts come.
 * Framework removes an `observablehq-loading` element before a cell's comment when the cell displays something.
 */
import { parseFragment, type DefaultTreeAdapterTypes as Tree, defaultTreeAdapter as tree } from "parse5";
import { elementOf } from "./html.js";
import type { PageContent } from "./notebook/page.js";
import type { Shown, ShownControl, ShownFigure, ShownLive } from "./notebook/shown.js";
import { comments } from "./placeholders.js";

export function addFirstLook(document: Tree.Document, { cells }: PageContent): void {
  for (const comment of [...comments(document)]) {
    const shown = cells.get(comment.data.slice(1, -1)) ?? [];
    const markup = shown.map(markupOf).join("");
    if (!markup || !comment.parentNode) continue;
    const place = placeBefore(comment, comment.parentNode);
    for (const node of [...parseFragment(markup).childNodes]) tree.appendChild(place, node);
  }
}

function placeBefore(comment: Tree.CommentNode, parent: Tree.ParentNode): Tree.Element {
  const before = parent.childNodes[parent.childNodes.indexOf(comment) - 1];
  if (before && tree.isElementNode(before) && before.tagName === "observablehq-loading") return before;
  const place = elementOf("observablehq-loading", {});
  tree.insertBefore(parent, place, comment);
  return place;
}

const safe = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

function markupOf(shown: Shown): string {
  switch (shown.kind) {
    case "text":
      return safe(shown.text);
    case "figure":
      return figureMarkup(shown);
    case "live":
      return figureMarkup({ ...shown, foot: [] });
    case "control":
      return controlMarkup(shown);
    default:
      return "";
  }
}

/** As components/figure.ts makes it, without the chart. */
function figureMarkup({ id, claim, note, height, foot }: Omit<ShownLive, "kind"> & Pick<ShownFigure, "foot">): string {
  const remark = note ? `<p class="note">${safe(note)}</p>` : "";
  const room = height ? `${height}px` : "16rem";
  const lines = foot.map((line) => `<details class="passport"><summary>${safe(line)}</summary></details>`).join("");
  return `<div class="figure" data-figure="${safe(id)}"><div class="caption"><p class="claim">${safe(claim)}</p>${remark}</div><div class="chart" style="min-height: ${room}"></div><div class="figure-foot">${lines}</div></div>`;
}

/** As components/controls.ts makes it. */
function controlMarkup({ control, label, options, text: value }: ShownControl): string {
  const [name, text] = [safe(label), safe(value)];
  const select = (option: string) => `<option${option === value ? " selected" : ""}>${safe(option)}</option>`;
  switch (control) {
    case "slider":
      return `<div class="control slider" inert><label>${name}</label><input type="range"><output>${text}</output></div>`;
    case "menu":
      return `<div class="control menu" inert><label>${name}</label><select>${options.map(select).join("")}</select></div>`;
    case "radio": {
      const choices = options.map((option) => `<label><input type="radio"><span>${safe(option)}</span></label>`);
      return `<fieldset class="control radio" inert><legend>${name}</legend>${choices.join("")}</fieldset>`;
    }
    case "toggle":
      return `<div class="control toggle" inert><label><input type="checkbox"><span>${name}</span></label></div>`;
  }
}
