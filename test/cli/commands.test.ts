import { afterAll, describe, expect, test } from "vitest";
import { full } from "../full.js";
import { Project } from "../project.js";

const project = new Project();
afterAll(() => project.remove());

/** One sentence on stderr and nothing else: no stack, no progress. */
async function refuses(args: readonly string[], sentence: RegExp): Promise<void> {
  const { code, stdout, stderr } = await project.run(...args);
  expect(stderr.trim()).toMatch(sentence);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stdout).toBe("");
  expect(code).toBe(2);
}

describe("help", () => {
  test("names the version", async () => {
    const { version } = JSON.parse(project.read("package.json"));
    expect(await project.run("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  const commands = [
    "run",
    "status",
    "verify",
    "diff",
    "gc",
    "preview",
    "build",
    "serve",
    "models",
    "models random",
    "models check",
    "doctor",
    "bench",
    "bench cpu",
    "prompts",
    "catalogue",
    "new experiment",
  ];
  test.each(full ? commands : ["run", "models random"])("of %s tells the exit codes", async (command) => {
    const { code, stdout } = await project.run(...command.split(" "), "--help");
    expect(code).toBe(0);
    expect(stdout).toContain(`observatory ${command}`);
    expect(stdout).toContain("130 interrupted");
  });
});

describe("bad input", () => {
  test("an unknown command or option", async () => {
    expect(await project.run("rn")).toMatchObject({
      code: 2,
      stderr: "error: unknown command 'rn'\n(Did you mean run?)\n",
    });
    expect((await project.run("run", "--sed")).code).toBe(2);
  });

  test("an unknown experiment, with the nearest", () =>
    refuses(["run", "cuonts"], /^There is no experiment cuonts; did you mean counts\?$/));

  test("no folder of a model", () => refuses(["run", "--model", "nowhere"], /There is no folder .*nowhere\.$/));

  test("a model of another family", () =>
    project.with(
      "data/models/observatory-8m/config.json",
      (text) => text.replace(/"model_type": *"llama"/, '"model_type": "mamba"'),
      () => refuses(["run"], /config\.json: model_type is "mamba", but only .*llama.* can be run\.$/),
    ));

  test("parameters", async () => {
    await refuses(["run", "counts", "--set", "rows"], /^--set rows is not of the form name=value\.$/);
    await refuses(
      ["run", "counts", "--set", "row=3"],
      /^The experiment counts has no parameter row: it has rows, pause, fail, seed\.$/,
    );
    await refuses(
      ["run", "counts", "--set", "rows=many"],
      /^The parameter rows of counts cannot be "many": it must be a number\.$/,
    );
    await refuses(["run", "--jobs", "0"], /^--jobs is 0, but must be a whole number of at least 1\.$/);
    await refuses(["gc", "--keep", "much"], /^--keep is much, but must be a size such as 500MB or 10GB\.$/);
    await refuses(["run", "--device", "tpu"], /^There is no device tpu: give cpu, cuda, wasm, webgpu, .* or auto\.$/);
  });

  test("prompts", async () => {
    project.write("bad.jsonl", '{"name":"a"}\n{"name":\n');
    await refuses(
      ["run", "counts", "--prompts", "bad.jsonl"],
      /bad\.jsonl, line 2 is not a JSON object: a JSONL file has one per line\.$/,
    );
    await refuses(
      ["run", "counts", "--prompts", "none.jsonl"],
      /none\.jsonl cannot be read: give a JSONL file that exists\.$/,
    );
    await refuses(["run", "weights", "--prompts", "bad.jsonl"], /^The experiment weights reads no prompts/);
    await refuses(
      ["run", "--prompts", "bad.jsonl"],
      /^--prompts replaces the input of one experiment: name exactly one\.$/,
    );
  });

  test("keeping what is not the default", () =>
    refuses(["run", "counts", "--set", "rows=3", "--save"], /^--save keeps what the pages show by default/));

  test("ports and sites", async () => {
    await refuses(["preview", "--port", "http"], /^--port is http, but must be a whole number from 0 to 65535\.$/);
    await refuses(["serve", "nowhere"], /^There is no site in .*nowhere: build one with `npm run build`\.$/);
  });
});
