import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { Project } from "../project.js";

const bundled = fileURLToPath(new URL("../../data/models/observatory-8m", import.meta.url));

const project = new Project();
afterAll(() => project.remove());

const passportOf = (folder: string) => JSON.parse(readFileSync(join(project.path(folder), "passport.json"), "utf8"));

async function stateOf(experiment: string, ...options: readonly string[]) {
  const { stdout } = await project.run("status", "--json", ...options);
  return JSON.parse(stdout).find((row: { experiment: string }) => row.experiment === experiment);
}

describe("a run", () => {
  test("prints what the claims came to and where the result is, and everything else on stderr", async () => {
    const { code, stdout, stderr } = await project.run("run", "counts", "--out", "copies");
    expect(stdout).toBe("counts: Counting\n  enough  replicated  20 [20, 20]  n = 20\n  copies/counts\n\n");
    expect(stderr).toMatch(/^counts has to be computed: there is no result yet\ncounts {2}starting\n/);
    expect(stderr).not.toContain("\x1b");
    expect(code).toBe(0);
    expect(readdirSync(project.path("copies/counts")).sort()).toEqual([
      "passport.json",
      "squares.arrow",
      "verdicts.arrow",
    ]);
  });

  test("reuses a fresh result, says so, and computes it again when asked to", async () => {
    const again = await project.run("run", "counts");
    expect(again.stderr).toMatch(/^counts is fresh: \.observatory\/store\/[0-9a-f]{64}\n$/);
    const fresh = await project.run("run", "counts", "--fresh");
    expect(fresh.stderr).toMatch(/^counts is fresh, and computed again\ncounts {2}starting\n/);
  });

  test("prints results in the order of the experiments, whichever was there before", async () => {
    const { stderr, stdout } = await project.run("run");
    expect(stderr).toMatch(/^counts is fresh.*\nweights has to be computed/);
    expect(stdout).toMatch(/^counts: [\s\S]*^weights: /m);
  });

  test("with other parameters and prompts is another result", async () => {
    project.write("three.jsonl", '{"name":"x"}\n');
    const { code, stdout } = await project.run(
      "run",
      "counts",
      "--set",
      "rows=3",
      "--prompts",
      "three.jsonl",
      "--out",
      "three",
    );
    expect(code).toBe(0);
    expect(stdout).toContain("replicated  3 [3, 3]  n = 3");
    expect(passportOf("three/counts")).toMatchObject({
      parameters: { rows: 3 },
      inputs: { names: "three.jsonl" },
      seed: 1,
    });
    expect(await stateOf("counts")).toMatchObject({ state: "fresh" });
  });

  test("says in its passport all that it depended on", async () => {
    await project.run("run", "weights", "--out", "copies");
    expect(passportOf("copies/weights")).toMatchObject({
      experiment: "weights",
      question: "How large are they?",
      model: { name: "observatory-8m", folder: "data/models/observatory-8m" },
      device: { name: "cpu", precision: "float32", runtime: "onnxruntime-node", threads: "1" },
      versions: { node: process.versions.node },
      seconds: expect.any(Number),
      peakMemoryBytes: expect.any(Number),
      accuracy: { case: "attention and logits of 16 tokens of this model", largest: expect.any(Number) },
      tables: { norms: { rows: 4 }, verdicts: { rows: 0 } },
      keyParts: {
        packages: {
          "apache-arrow": expect.any(String),
          flatbuffers: expect.any(String),
          "onnxruntime-node": expect.any(String),
        },
        model: { config: expect.any(String), weights: expect.any(String), tokenizer: expect.any(String) },
        device: "cpu",
      },
      sources: { "loaders/experiments/weights.ts": expect.any(String), "engine/model.ts": expect.any(String) },
    });
  });
});

test("a passport tells how far the device is from float64", async () => {
  const { largest } = passportOf("copies/weights").accuracy;
  expect(largest).toBeGreaterThan(0);
  expect(largest).toBeLessThan(1e-4);
});

describe("a committed result", () => {
  test("stands without the store, from whatever device, unless one is asked for", { tags: ["wide"] }, async () => {
    expect((await project.run("run", "weights", "--save", "--device", "wasm")).code).toBe(0);
    rmSync(project.path(".observatory/store"), { recursive: true });
    expect(await stateOf("weights")).toMatchObject({
      state: "fresh",
      reason: null,
      passport: "data/results/weights/passport.json",
    });
    const change = (text: string) => text.replace("class Model {", "class Model {\n  readonly changed = true;");
    await project.with("engine/model.ts", change, async () => {
      const reason = "the code changed (engine/model.ts)"; // and not the device, too
      expect(await stateOf("weights")).toMatchObject({ state: "stale", reason });
    });
    const asked = await project.run("run", "weights", "--device", "cpu");
    expect(asked.stderr).toMatch(/^weights has to be computed: .*the device changed from "wasm" to "cpu"/);
    const again = await project.run("run", "weights", "--device", "cpu");
    expect(again.stderr).toMatch(/^weights is fresh: \.observatory\/store/);
    rmSync(project.path("data/results"), { recursive: true });
    expect(await stateOf("weights")).toMatchObject({ state: "fresh" }); // under the key of the processor, as it was stored
  });

  test("is of the bundled model, and of no other", async () => {
    const { code, stderr } = await project.run("run", "weights", "--model", bundled, "--save");
    expect(stderr).toMatch(/^--save keeps what the pages show by default/);
    expect(code).toBe(2);
    await project.run("run", "weights", "--model", bundled, "--out", "elsewhere");
    expect(passportOf("elsewhere/weights").model).toEqual({ name: "observatory-8m", folder: "observatory-8m" });
    expect(await stateOf("weights", "--model", bundled)).toMatchObject({ model: "observatory-8m", state: "fresh" });
  });
});

describe("a control", () => {
  test("is a model folder that says what it is, wherever it is shown", async () => {
    expect((await project.run("models", "random", "control", "--like", bundled, "--seed", "3")).code).toBe(0);
    expect(readdirSync(project.path("control")).sort()).toEqual(
      expect.arrayContaining(["README.md", "config.json", "model.safetensors", "tokenizer.json"]),
    );
    const { stdout } = await project.run("models", "check", "control");
    expect(stdout).toMatch(/llama, 8 layers of 8 heads of 32, width 256/);
    expect(stdout).toMatch(/control: random weights, seed 3/);
    const run = await project.run("run", "weights", "--model", "control", "--out", "controlled");
    expect(run.stdout).toMatch(/^weights: Weights on control \(control: random weights, seed 3/);
    expect(passportOf("controlled/weights").model).toMatchObject({
      name: "control",
      control: expect.stringMatching(/seed 3/),
    });
  });

  test("overwrites nothing", async () => {
    const { code, stderr } = await project.run("models", "random", "data");
    expect(stderr).toMatch(/^data is not empty: give a folder that does not exist yet\.\n$/);
    expect(code).toBe(2);
  });
});

describe("the collector", () => {
  test("drops nothing of late while a run is at work", { tags: ["wide"] }, async () => {
    await project.run("run", "counts", "--set", "rows=9");
    const run = project.start("run", "counts", "--set", "pause=2000");
    await run.until(/counts +━/);
    const { stdout, stderr } = await project.run("gc", "--keep", "0");
    expect(stderr).toMatch(/^A run or a preview is at work/);
    expect(stdout).toBe("");
    run.kill("SIGTERM");
    expect((await run.finished).code).toBe(130);
  });

  test("drops what nothing refers to, and keeps what is committed or current", async () => {
    await project.run("run", "weights", "--save");
    await project.run("run", "counts");
    await project.run("run", "counts", "--set", "rows=7");
    const before = readdirSync(project.path(".observatory/store"));
    const { code, stdout, stderr } = await project.run("gc", "--keep", "0");
    expect(code).toBe(0);
    expect(stderr).toMatch(/results were dropped from the store, and .* are free\.\n.* stay, more than the 0 bytes/);
    const dropped = stdout.trim().split("\n");
    const left = readdirSync(project.path(".observatory/store"));
    expect(dropped.concat(left).sort()).toEqual(before.sort());
    expect(await stateOf("counts")).toMatchObject({ state: "fresh" });
    expect(await stateOf("weights")).toMatchObject({ state: "fresh" });
    expect(left).toContain((await stateOf("counts")).key);
  });

  test("keeps what an experiment that is broken may have again", async () => {
    const before = readdirSync(project.path(".observatory/store"));
    const spoil = (text: string) => `${text}\nexport const = 1;\n`;
    await project.with("loaders/experiments/counts.ts", spoil, () => project.run("gc", "--keep", "0"));
    expect(readdirSync(project.path(".observatory/store"))).toEqual(before);
    expect(await stateOf("counts")).toMatchObject({ state: "fresh" });
  });
});

test("a tokenizer of another model is refused", async () => {
  const { code, stderr } = await project.run("models", "check", project.path("data/models/observatory-8m"));
  expect(stderr).toMatch(
    /tokenizer\.json has ids up to 8191, but the model knows only \d+: it belongs to another model\.\n$/,
  );
  expect(code).toBe(2);
});
