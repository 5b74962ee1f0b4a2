import { expect, test } from "vitest";
import { parsePassport, warning } from "../../../components/passport.js";

const passport = { key: "ab".repeat(32), date: "2026-01-02T03:04:05Z" };

test("a random control is called one, louder than a model that is merely another", () => {
  expect(warning({ ...passport, model: { name: "observatory-8m" } })).toBeUndefined();
  expect(warning(passport)).toBeUndefined();
  expect(warning({ ...passport, model: { name: "gpt2" } })).toContain("gpt2");
  expect(warning({ ...passport, model: { name: "gpt2", control: "seed 0" } })).toContain("learned nothing");
});

test("a stale result says so before all else, and what has changed", () => {
  const stale = warning({ ...passport, model: { name: "gpt2" }, stale: "the code changed (a.ts)" });
  expect(stale).toMatch(/^Stale: .*the code changed \(a\.ts\)/);
});

test("no passport is none, a broken one is refused", () => {
  expect(parsePassport(undefined)).toBeUndefined();
  expect(parsePassport(JSON.stringify(passport))).toEqual(passport);
  for (const text of ["null", "[]", '{"key": 1}', '"text"']) expect(() => parsePassport(text)).toThrow("passport");
  expect(() => parsePassport("{")).toThrow(SyntaxError);
});
