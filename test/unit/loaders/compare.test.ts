import { describe, expect, test } from "vitest";
import { Encoder } from "../../../loaders/runner/encoder.js";
import { tableChange, tableDistance } from "../../../loaders/store/compare.js";
import { type Columns, table } from "../../../loaders/table.js";

const columns: Columns = {
  layer: { kind: "int32", meaning: "" },
  role: { kind: "text", meaning: "" },
  mass: { kind: "float64", meaning: "", optional: true },
};
const rows = [
  { layer: 0, role: "sink", mass: 0.5 },
  { layer: 1, role: "sink", mass: 200 },
  { layer: 1, role: "induction", mass: null },
];

function encode(of: readonly Record<string, unknown>[], declared = columns): Uint8Array {
  const encoder = new Encoder("trial", table("heads", "", declared));
  encoder.append(of);
  return encoder.finish(new Map());
}

const changed = (at: number, change: Record<string, unknown>) =>
  rows.map((row, i) => (i === at ? { ...row, ...change } : row));
const change = (now: readonly Record<string, unknown>[], tolerance?: (column: string) => number | undefined) =>
  tableChange("heads", encode(rows), encode(now), tolerance);

describe("two tables are the same", () => {
  test("where they are equal, missing values included", () => {
    expect(change(rows)).toBeUndefined();
    expect(change(rows, () => 0)).toBeUndefined();
  });

  test("where floats differ by rounding: of themselves, or of 1", () => {
    expect(change(changed(0, { mass: 0.50009 }))).toBeUndefined();
    expect(change(changed(1, { mass: 200.019 }))).toBeUndefined();
    expect(change(changed(0, { mass: 0.50011 }))).toBeDefined();
    expect(change(changed(1, { mass: 200.021 }))).toBeDefined();
  });

  test("where a column declares how exact it is", () => {
    expect(change(changed(0, { mass: 0.6 }), () => 0.2)).toBeUndefined();
    expect(change(changed(0, { mass: 0.50001 }), () => 0)).toBeDefined();
    expect(change(changed(0, { layer: 1 }), () => 1)).toBeUndefined();
  });
});

describe("what differs is told", () => {
  test("by column, with how many values, where most of what is tolerated, and by how much", () => {
    const now = [{ ...rows[0], mass: 0.75 }, { ...rows[1], mass: 190 }, rows[2]];
    expect(change(now)).toEqual({
      table: "heads",
      columns: [{ column: "mass", differing: 2, of: 3, where: "layer 0, role sink", before: 0.5, now: 0.75, by: 0.25 }],
      gone: [],
      added: [],
    });
  });

  test("where a value is missing, or is no number", () => {
    expect(change(changed(2, { mass: 0 }))?.columns).toEqual([
      { column: "mass", differing: 1, of: 3, where: "layer 1, role induction", before: null, now: 0 },
    ]);
    expect(change(changed(0, { role: "previous token" }))?.columns).toEqual([
      { column: "role", differing: 1, of: 3, where: "layer 0", before: "sink", now: "previous token" },
    ]);
  });

  test("by the rows that belong together where some are gone or more", () => {
    const now = [{ layer: 2, role: "sink", mass: 9 }, ...rows.slice(1).map((row) => ({ ...row, mass: 300 })), rows[2]];
    expect(change(now)).toMatchObject({ columns: [{ column: "mass", differing: 2, of: 2 }], gone: ["1 row"] });
    expect(change(now)?.added).toEqual(["2 rows"]);
  });

  test("where columns are gone or more", () => {
    const { mass, ...fewer } = columns;
    const less = encode(
      rows.map(({ layer, role }) => ({ layer, role })),
      fewer,
    );
    expect(tableChange("heads", encode(rows), less)).toMatchObject({ columns: [], gone: ["column mass"], added: [] });
    expect(tableChange("heads", less, encode(rows))).toMatchObject({ columns: [], gone: [], added: ["column mass"] });
    expect(mass.kind).toBe("float64");
  });
});

describe("the distance of a column", () => {
  const distance = (now: readonly Record<string, unknown>[], tolerance?: (column: string) => number | undefined) =>
    Object.fromEntries(
      tableDistance("heads", encode(rows), encode(now), tolerance).columns.map((of) => [of.column, of]),
    );

  test("is known where it is tolerated, too: of numbers, of what is tolerated of them, and where", () => {
    const { mass } = distance([{ ...rows[0], mass: 0.50005 }, { ...rows[1], mass: 200.002 }, rows[2]]);
    expect(mass).toMatchObject({ of: 3, differing: 0, tolerance: { by: 1e-4, scaled: true }, range: [0.5, 200] });
    expect(mass.absolute).toBeCloseTo(0.002, 10);
    expect(mass.relative).toBeCloseTo(0.00005 / 0.50005, 10);
    expect(mass.share).toBeCloseTo(0.5, 6);
    expect(mass.farthest).toMatchObject({ where: "layer 0, role sink", before: 0.5, now: 0.50005 });
  });

  test("is measured by the tolerance that the column declares", () => {
    const { mass, layer } = distance(changed(0, { mass: 0.7, layer: 1 }), () => 0.4);
    expect(mass).toMatchObject({ differing: 0, tolerance: { by: 0.4, scaled: false } });
    expect(mass.share).toBeCloseTo(0.5, 10);
    expect(layer).toMatchObject({ differing: 1, share: 2.5, absolute: 1, range: [0, 1] });
  });

  test("is nothing where all is equal", () => {
    const { role, mass } = distance(rows);
    expect(role).toEqual({
      column: "role",
      of: 3,
      differing: 0,
      tolerance: { by: 0, scaled: false },
      absolute: 0,
      relative: 0,
      share: 0,
    });
    expect(mass).toMatchObject({ differing: 0, absolute: 0, share: 0, range: [0.5, 200] });
  });

  test("has no measure where values must be equal, or one of them is missing", () => {
    expect(distance(changed(0, { layer: 1 })).layer).toMatchObject({ differing: 1, absolute: 1, share: Infinity });
    const { mass } = distance([{ ...rows[0], mass: 0.9 }, rows[1], { ...rows[2], mass: 3 }]);
    expect(mass).toMatchObject({ differing: 2, share: Infinity, farthest: { before: null, now: 3 } });
    expect(mass.absolute).toBeCloseTo(0.4, 10);
  });

  test("is that of the rows that belong together, in whatever order they stand", () => {
    expect(distance(rows.toReversed()).mass).toMatchObject({ of: 3, differing: 0, share: 0 });
    const { columns, unpaired } = tableDistance("heads", encode(rows), encode(rows.slice(1)));
    expect(unpaired).toBe(1);
    expect(columns.map(({ of, differing }) => [of, differing])).toEqual([
      [2, 0],
      [2, 0],
      [2, 0],
    ]);
  });
});
