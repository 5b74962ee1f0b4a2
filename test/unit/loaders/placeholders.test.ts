import { expect, test } from "vitest";
import { polish } from "../../../loaders/site/html.js";

const page = (cells: readonly string[]) => `<!DOCTYPE html><html><head><script type="module">
${cells.map((cell, i) => `define({id: "0000000${i}", body: async () => {\n${cell}\n}});`).join("\n")}
</script></head><body><main>${cells.map((_, i) => `<div><!--:0000000${i}:--></div>`).join("")}</main></body></html>`;

const heights = (html: string) =>
  [
    ...html.matchAll(/<div>(?:<observablehq-loading style="min-height: (\d+)px[^"]*"><\/observablehq-loading>)?<!--/g),
  ].map(([, height]) => height && Number(height));

test("a cell gets the room of its figures and controls, and one that shows nothing gets none", () => {
  const cells = [
    "const db = database({});",
    "display(figure({db, id: 'a', height: 300}, invalidation));",
    "display(figure({db, id: 'a', height: 400}, invalidation));",
    "const layer = view(slider({label: 'Layer'}));",
    "const cell = view(figure({db, id: 'b', height: 300}, invalidation));",
    "display(figure({db, id: 'c', compact: true, height: 175}, invalidation));",
  ];
  const [none, small, large, control, view, compact] = heights(polish(page(cells)));
  expect([none, compact]).toEqual([undefined, undefined]);
  expect(Number(large) - Number(small)).toBe(100);
  expect(Number(small)).toBeGreaterThan(300);
  expect(view).toBe(small);
  expect(Number(control)).toBeGreaterThan(0);
  expect(Number(control)).toBeLessThan(150);
});

test("what the page of papers shows has room of its own", () => {
  const [imported, filters, table] = heights(
    polish(
      page([
        "const {paperFilters, paperTable} = await import('./papers.js');",
        "const asked = view(paperFilters(rows));",
        "const table = paperTable();\ndisplay(table.element);",
      ]),
    ),
  );
  expect(imported).toBeUndefined();
  expect(filters).toBeGreaterThan(100);
  expect(table).toBeGreaterThan(500);
});
