/**
 * Our code as commands run it: translated once, and never older than what the sources say.
 * @module-tag wide
 */
import { appendFileSync, readdirSync, utimesSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../project.js";

let project: Project;
beforeAll(() => {
  project = new Project({ isNew: true });
});
afterAll(() => project.remove());

const translations = () => readdirSync(project.path(".code"));
const main = "loaders/cli/main.ts";

test("commands that start together translate it, and keep one translation", async () => {
  const commands = await Promise.all([1, 2, 3].map(() => project.run("--version")));
  for (const command of commands) expect(command).toMatchObject({ code: 0, stderr: "" });
  expect(translations()).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
});

test("a change counts from the next command on, and what has been out of use for a day goes", async () => {
  const [first] = translations();
  const changed = (word: string) => (text: string) => text.replace("Attention experiments", word);
  const other = "loaders/meter.js"; // has not changed, and is not translated again
  appendFileSync(project.path(`.code/${first}/${other}`), "\n// the same");
  await project.with(main, changed("Old words"), async () => {
    expect((await project.run("--help")).stdout).toContain("Old words");
    expect(translations()).toHaveLength(2);
    for (const name of translations()) expect(project.read(`.code/${name}/${other}`)).toContain("// the same");
  });
  const twoDaysAgo = new Date(Date.now() - 2 * 24 * 3600 * 1000);
  utimesSync(project.path(`.code/${first}`), twoDaysAgo, twoDaysAgo);
  await project.with(main, changed("New words"), async () => {
    expect((await project.run("--help")).stdout).toContain("New words");
    expect(translations()).toHaveLength(2);
    expect(translations()).not.toContain(first);
  });
});

test("a module that cannot be translated is named with its line, and stops only what needs it", async () => {
  const broken = (text: string) => `${text}\nconst = 1;\n`;
  const lines = project.read("loaders/site/search.ts").split("\n").length;
  await project.with("loaders/site/search.ts", broken, async () => {
    expect(await project.run("--version")).toMatchObject({ code: 0, stderr: "" });
    const { code, stderr } = await project.run("build");
    expect(stderr).toContain(`loaders/site/search.ts:${lines + 1}:6: ERROR: `);
    expect(code).toBe(1);
  });
});

test("errors are shown where they are in the sources", async () => {
  const at = project.read("loaders/experiments/counts.ts").split("\n");
  const line = at.findIndex((text) => text.includes("three is too many")) + 1;
  const { stderr } = await project.run("run", "counts", "--set", "fail=throw", "--debug");
  expect(stderr).toContain(`loaders/experiments/counts.ts:${line}:`);
});

test("where nothing can be kept, commands work all the same", async () => {
  const other = new Project({ isNew: true });
  other.write(".code", "in the way");
  expect(await other.run("run", "counts")).toMatchObject({ code: 0 });
  expect(other.read(".code")).toBe("in the way");
  other.remove();
});
