import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changedSince } from "../../../loaders/bench/site-age.js";

const built = Date.UTC(2026, 0, 2);
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "observatory-age-"));
  write("src/index.md", -60);
  write("components/lab/lab.ts", -60);
  symlinkSync("../components", join(root, "src/components"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** @param seconds after the build */
function write(path: string, seconds: number): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), "");
  utimesSync(join(root, path), new Date(), new Date(built + 1000 * seconds));
}

test("a site is as old as its latest source", async () => {
  expect(await changedSince(built, root)).toBeUndefined();
  write("data/results/sinks/heads.arrow", 5);
  write("components/lab/lab.ts", 9);
  expect(await changedSince(built, root)).toBe(join("components", "lab", "lab.ts"));
});

test("what no site is made of makes none old", async () => {
  write("src/.observablehq/cache/_node/vega.js", 5);
  write("data/benchmarks/site.json", 5);
  write("loaders/bench/site.ts", 5);
  expect(await changedSince(built, root)).toBeUndefined();
});
