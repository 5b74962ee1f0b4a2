import { cpSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { catalogueFile, parseCatalogue } from "../../loaders/catalogue/paper.js";
import { bundledModel } from "../../loaders/project.js";
import { Project, Running } from "../project.js";

const project = new Project();
afterAll(() => project.remove());

const [first, second] = parseCatalogue(readFileSync(catalogueFile, "utf8"));

async function rows() {
  const { code, stdout } = await project.run("catalogue", "--json");
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

describe("catalogue", () => {
  beforeAll(() => {
    // The claim of the experiment counts is about "none".
    project.write("data/catalogue.json", JSON.stringify([{ ...first, slug: "none" }, second]));
  });

  test("has a paper measured by a result, not by an experiment", async () => {
    const planned = {
      line: 1,
      slug: "none",
      status: "planned",
      verdict: null,
      scope: null,
      models: [],
      experiment: null,
      page: "/papers/none",
      key: null,
      interval: null,
      n: null,
      definition: "not yet",
    };
    expect((await rows())[0]).toEqual(planned);
    await project.run("run", "counts");
    const [measured, other] = await rows();
    expect(measured).toEqual({
      ...planned,
      status: "measured",
      verdict: "replicated",
      experiment: "counts",
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
      interval: [20, 20],
      n: 20,
    });
    expect(other.status).toBe("planned");
    const { stdout } = await project.run("catalogue");
    expect(stdout).toMatch(/none +replicated, definition recalled +counts, n = 20/);
    expect(stdout).toMatch(/1 of 2 measured$/m);
  });

  test("counts a result no longer when what it depends on changes", () =>
    project.with(
      "loaders/experiments/counts.ts",
      (source) => source.replace("rows: 20", "rows: 21"),
      async () => expect((await rows())[0].status).toBe("planned"),
    ));

  test("says what part of a paper a verdict is about, where the experiment says so", () =>
    project.with(
      "loaders/experiments/counts.ts",
      (source) => source.replace('subject: "records"', 'scope: "exact part",\n  subject: "records"'),
      async () => {
        await project.run("run", "counts");
        expect((await rows())[0]).toMatchObject({ verdict: "replicated", scope: "exact part" });
        const { stdout } = await project.run("catalogue");
        expect(stdout).toMatch(/none +replicated, exact part, definition recalled +counts, n = 20/);
      },
    ));

  test("refuses an entry that is not right, by name", async () => {
    await project.with(
      "data/catalogue.json",
      (text) => text.replace('"tier":4', '"tier":9'),
      async () =>
        expect(await project.run("catalogue")).toMatchObject({
          code: 2,
          stderr: "data/catalogue.json, none: its tier must be a whole number from 1 to 5.\n",
        }),
    );
  });
});

describe("new experiment", () => {
  test("writes an experiment that runs, and a test that passes", async () => {
    cpSync(new URL("../../data/prompts/texts.jsonl", import.meta.url), project.path("data/prompts/texts.jsonl"));
    const made = await project.run("new", "experiment", "token-before", "--paper", second.slug);
    expect(made).toEqual({
      code: 0,
      stdout: "loaders/experiments/token-before.ts\ntest/unit/experiments/token-before.test.ts\nsrc/token-before.md\n",
      stderr: "",
    });
    const { code, stdout } = await project.run("run", "token-before", "--model", bundledModel);
    expect(stdout).toMatch(/^ {2}training-raises-it +replicated /m);
    expect(code).toBe(0);
    const vitest = new URL("../../node_modules/vitest/vitest.mjs", import.meta.url).pathname;
    const run = await new Running(
      vitest,
      ["run", "--root", project.root, "--testTimeout", "60000", "token-before"],
      project.root,
    ).finished;
    expect(run.stdout).toMatch(/Tests .*3 passed/);
    expect(run.code).toBe(0);
  });

  test("attaches on its page only tables that there are", () => {
    const attached = [...project.read("src/token-before.md").matchAll(/data\/token-before\/(\w+)\.arrow/g)];
    expect(attached.map(([, table]) => table)).toEqual(["documents", "verdicts"]);
    expect(project.read("loaders/experiments/token-before.ts")).toContain('table("documents"');
  });

  test("refuses a name in use, one that is none, and an unknown paper", async () => {
    const refuses = async (args: readonly string[], sentence: RegExp) => {
      const { code, stderr } = await project.run("new", "experiment", ...args);
      expect(stderr).toMatch(sentence);
      expect(code).toBe(2);
    };
    await refuses(["counts"], /^loaders\/experiments\/counts\.ts exists already: give another name\.$/m);
    await refuses(["Token_Before"], /^"Token_Before" cannot be the name of an experiment/);
    await refuses(["index"], /cannot be the name/);
    await refuses(["another", "--paper", "nnone"], /has no paper nnone; did you mean none\?$/m);
  });
});
