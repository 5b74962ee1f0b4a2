import { expect, test } from "vitest";
import { bind } from "../../../components/sql.js";

test("values become literals, and text cannot end its quotes", () => {
  expect(bind("SELECT $n, $t, $b, $z, $l", { n: 1.5, t: "it's; DROP TABLE x --", b: true, z: null, l: [1, "a"] })).toBe(
    "SELECT 1.5, 'it''s; DROP TABLE x --', true, NULL, [1, 'a']",
  );
});

test("what is quoted or commented stays as it is", () => {
  const sql = `SELECT '$a' AS "$b" -- $c\nFROM t WHERE x = $x`;
  expect(bind(sql, { x: 1 })).toBe(`SELECT '$a' AS "$b" -- $c\nFROM t WHERE x = 1`);
});

test("numbers that SQL cannot write as they are", () => {
  expect(bind("SELECT $a, $b", { a: Number.NaN, b: Number.NEGATIVE_INFINITY })).toBe(
    "SELECT 'NaN'::DOUBLE, '-Infinity'::DOUBLE",
  );
});

test("a parameter that is not given is named", () => {
  expect(() => bind("SELECT $layer", { head: 1 })).toThrow("$layer");
  expect(() => bind("SELECT $toString", {})).toThrow("$toString");
});
