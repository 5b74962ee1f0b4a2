/** Every builder's spec compiles and draws without a warning, with the marks that its rows call for. */
import { describe, expect, test } from "vitest";
import type { Spec } from "../../../components/chart.js";
import { palettes } from "../../../components/palette.js";
import { estimates, heatmap, profile, smallMultiples } from "../../../components/specs.js";
import { draw } from "./draw.js";

type Rows = Readonly<Record<string, unknown>>[];

const grid: Rows = [0, 1, 2].flatMap((layer) => [0, 1].map((head) => ({ layer, head, value: layer + head / 10 })));
const series: Rows = ["trained", "random"].flatMap((model, m) =>
  [1, 2, 4, 8].map((x) => ({ model, layer: m, x, y: x * (m + 1), low: x, high: x * 3 })),
);
const count = (svg: string, pattern: RegExp) => [...svg.matchAll(pattern)].length;

describe("heatmap", () => {
  const options = {
    x: { field: "head", title: "Head" },
    y: { field: "layer", title: "Layer" },
    value: { field: "value", title: "Value" },
  };

  test("one cell per row, first layer at the bottom", async () => {
    const { svg, warnings } = await draw(heatmap(options), grid);
    expect(warnings).toEqual([]);
    expect(count(svg, /aria-roledescription="rect mark"/g) || count(svg, /<path aria-label="Head/g)).toBe(grid.length);
    const labels = [...svg.matchAll(/translate\([^)]*\)[^>]*>(\d)<\/text>/g)].map(([, text]) => text);
    expect(labels.slice(-3)).toEqual(["2", "1", "0"]);
  });

  test("the selected cell is outlined and no other", async () => {
    const spec = heatmap({ ...options, select: "chosen" });
    const chosen: Spec = (surroundings) => {
      const unit = (spec as Extract<Spec, (...args: never[]) => unknown>)(surroundings);
      return { ...unit, params: [{ name: "chosen", value: { head: 1, layer: 2 } }] };
    };
    const { svg, warnings } = await draw(chosen, grid);
    expect(warnings).toEqual([]);
    expect(count(svg, new RegExp(`stroke="${palettes.light.text}"`, "g"))).toBe(1);
  });

  test("change is drawn on the diverging scale", async () => {
    const { warnings } = await draw(heatmap({ ...options, middle: 1 }), grid);
    expect(warnings).toEqual([]);
  });
});

describe("profile", () => {
  const options = {
    x: { field: "x", title: "Keys", log: 2 },
    y: { field: "y", title: "Entropy (nats)" },
    low: "low",
    high: "high",
  };

  test("a line and a band for each series, and the reference once", async () => {
    const { svg, warnings } = await draw(
      profile({ ...options, series: { field: "model" }, reference: { y: 5, label: "limit" } }),
      series,
    );
    expect(warnings).toEqual([]);
    expect(count(svg, /mark-line/g)).toBe(2);
    expect(count(svg, /mark-area/g)).toBe(2);
    expect(count(svg, />limit</g)).toBe(1);
  });

  test.each([[["trained", "shuffled", "random"]], [["uniform limit", "trained", "random"]]])(
    "of %j, trained is drawn last, and the legend keeps their order",
    async (names) => {
      const rows = names.flatMap((model) => [1, 2, 4].map((x) => ({ model, x, y: 1, low: 0, high: 2 })));
      const { svg, warnings } = await draw(profile({ ...options, series: { field: "model" }, points: true }), rows);
      expect(warnings).toEqual([]);
      const strokes = [...svg.matchAll(/aria-roledescription="line mark"[^>]*stroke="(#\w+)"/g)].map(([, of]) => of);
      expect(strokes).toHaveLength(3);
      expect(strokes.at(-1)).toBe(palettes.light.categories[0]);
      const points = [...svg.matchAll(/<path aria-label="[^"]*model: ([^";]+)[^"]*"[^>]*"point"/g)].map(([, of]) => of);
      expect(points.slice(-3)).toEqual(["trained", "trained", "trained"]);
      const legend = [...svg.matchAll(/>([a-z ]+)<\/text>/g)].map(([, text]) => text);
      expect(legend.filter((text) => names.includes(text))).toEqual(names);
    },
  );

  test("series that are numbers, and a reference that is a field", async () => {
    const { svg, warnings } = await draw(
      profile({ ...options, series: { field: "layer", title: "Layer" }, reference: { y: "y", label: "limit" } }),
      series,
    );
    expect(warnings).toEqual([]);
    expect(count(svg, /mark-line/g)).toBe(3);
    expect(count(svg, />limit</g)).toBe(1);
    expect(count(svg, />Entropy \(nats\)</g)).toBe(1);
  });
});

test("estimates: a point and a whisker for each category", async () => {
  const rows = ["a", "b", "c"].map((name, i) => ({ name, estimate: i, low: i - 1, high: i + 1 }));
  const spec = estimates({
    category: { field: "name" },
    value: { field: "estimate", title: "Change (nats)" },
    low: "low",
    high: "high",
  });
  const { svg, warnings } = await draw(spec, rows);
  expect(warnings).toEqual([]);
  expect(
    count(svg, /<line[^>]*aria-roledescription="rule mark"/g) ||
      count(svg, /aria-label="Change[^"]*"[^>]*aria-roledescription="rule mark"/g),
  ).toBe(3);
});

test("estimates: a name too long for one line is broken, and not cut off", async () => {
  const name = "sink-token-receives-enough-notwithstanding-shuffles";
  const rows = [name, "short-name"].map((name, i) => ({ name, estimate: i }));
  const { svg, warnings } = await draw(estimates({ category: { field: "name" }, value: { field: "estimate" } }), rows);
  expect(warnings).toEqual([]);
  expect(svg).not.toContain("…");
  const lines = [...svg.matchAll(/<tspan[^>]*>([^<]*)<\/tspan>/g)].map(([, text]) => text);
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.join("")).toBe(name);
  expect(svg).toContain(">short-name</text>");
});

test("small multiples: every value has its chart, the axis titles are said once", async () => {
  const rows = [0, 1, 2].flatMap((head) => series.map((row) => ({ ...row, head })));
  const cell = profile({
    x: { field: "x", title: "Keys" },
    y: { field: "y", title: "Entropy (nats)" },
    series: { field: "model" },
  });
  const { svg, warnings } = await draw(smallMultiples({ facet: { field: "head", title: "Head" }, cell }), rows);
  expect(warnings).toEqual([]);
  for (const head of [0, 1, 2]) expect(count(svg, new RegExp(`>Head ${head}<`, "g"))).toBe(1);
  expect(count(svg, />Entropy \(nats\) by keys</g)).toBe(1);
  expect(count(svg, />Keys</g)).toBe(0);
});

test.each([328, 736, 1024])("small multiples stay within %d pixels, the labels at their ends too", async (width) => {
  for (const [facets, last] of [
    [5, 3],
    [6, 2048],
    [8, 0.12345],
  ]) {
    const rows = Array.from({ length: facets }, (_, facet) => [0, last].map((x) => ({ facet, x, y: x / last }))).flat();
    const cell = profile({ x: { field: "x", title: "Layer" }, y: { field: "y", title: "Score" } });
    const { svg } = await draw(smallMultiples({ facet: { field: "facet" }, cell, minWidth: 150 }), rows, width);
    const [, drawn] = /<svg[^>]* width="([\d.]+)"/.exec(svg) ?? [];
    expect(Number(drawn), `${facets} to ${last}`).toBeLessThanOrEqual(width);
  }
});
