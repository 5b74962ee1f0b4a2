import { describe, expect, test } from "vitest";
import { Encoder } from "../../../loaders/runner/encoder.js";
import { tableChange } from "../../../loaders/store/compare.js";
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
  test("by column, with how many values, where most, and by how much", () => {
    const now = [{ ...rows[0], mass: 0.75 }, { ...rows[1], mass: 190 }, rows[2]];
    expect(change(now)).toEqual({
      table: "heads",
      columns: [{ column: "mass", differing: 2, of: 3, where: "layer 1, role sink", before: 200, now: 190, by: 10 }],
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
