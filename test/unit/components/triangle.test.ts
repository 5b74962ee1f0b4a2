import { parse, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";
import { expect, test } from "vitest";
import { triangle } from "../../../components/triangle.js";

const rows = [2, 4, 6].flatMap((query) =>
  [0, 2, 4].filter((key) => key < query).map((key) => ({ query, key, value: query - key - 3 })),
);

test("draws one cell for each pair, the first query at the top, and diverges at zero", async () => {
  const spec = { width: 100, height: 100, ...triangle({ field: "value", title: "Score", diverging: true }) };
  const vega = compile({ ...spec, data: { name: "rows" } } as TopLevelSpec).spec;
  const view = new View(parse(vega, undefined, { ast: true }), { expr: expressionInterpreter, renderer: "none" });
  const svg = await view.data("rows", rows).toSVG();
  expect(svg.match(/aria-roledescription="rect mark"/g)).toHaveLength(rows.length);
  expect(view.scale("y")(2)).toBeLessThan(view.scale("y")(6));
  expect(view.scale("x")(0)).toBeLessThan(view.scale("x")(4));
  expect(view.scale("color")(-1)).not.toBe(view.scale("color")(1));
  view.finalize();
});
