/** For every kind of input, that a change of it makes exactly the results stale that depend on it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../project.js";

const project = new Project();
beforeAll(async () => {
  expect(await project.run("run")).toMatchObject({ code: 0 });
}, 120_000);
afterAll(() => project.remove());

interface Row {
  readonly experiment: string;
  readonly state: string;
  readonly reason: string | null;
}

async function states(): Promise<Record<string, string>> {
  const rows: Row[] = JSON.parse((await project.run("status", "--json")).stdout);
  return Object.fromEntries(
    rows.map(({ experiment, state, reason }) => [experiment, reason ? `${state}: ${reason}` : state]),
  );
}

const allFresh = { counts: "fresh", weights: "fresh" };
const append = (text: string) => (content: string) => content + text;

test("everything is fresh after a run", async () => {
  expect(await states()).toEqual(allFresh);
});

describe("nothing is stale after a change of", () => {
  test.each([
    ["a comment", "loaders/helpers/square.ts", (text: string) => text.replace("A comment.", "Another.")],
    ["white space", "loaders/experiments/counts.ts", append("\n\n")],
    ["a type", "loaders/helpers/types.ts", append("export type Cube = number;\n")],
    ["code that is not used", "loaders/helpers/square.ts", (text: string) => text.replace("n * n * n", "n ** 3")],
    [
      "a message",
      "loaders/messages.ts",
      (text: string) => text.replace("must be a whole number", "has to be a whole number"),
    ],
    ["the module of another device", "loaders/devices/wasm.ts", (text: string) => text.replace("threads", "workers")],
    ["a package that is not used", "package-lock.json", (text: string) => bump(text, "vega")],
    ["the model's card", "data/models/observatory-8m/README.md", null],
  ] as const)("%s", async (_, file, change) => {
    if (change === null) project.write(file, "new");
    expect(change === null ? await states() : await project.with(file, change, states)).toEqual(allFresh);
  });
});

describe("exactly what depends on it is stale after a change of", () => {
  test.each([
    [
      "an experiment",
      "loaders/experiments/counts.ts",
      (text: string) => text.replace("i + 1, rows", "i + 1.0001, rows"),
      { counts: "stale: the code changed (loaders/experiments/counts.ts)" },
    ],
    [
      "what it imports",
      "loaders/helpers/square.ts",
      (text: string) => text.replace("return n * n;", "return n ** 2;"),
      { counts: "stale: the code changed (loaders/helpers/square.ts)" },
    ],
    [
      "a parameter's default",
      "loaders/experiments/weights.ts",
      (text: string) => text.replace("token: 1 }", "token: 2 }"),
      { weights: "stale: the code changed (loaders/experiments/weights.ts), parameter token changed from 1 to 2" },
    ],
    ["an input", "data/names.jsonl", append('{"name":"c"}\n'), { counts: "stale: input names changed" }],
    [
      "the model's config",
      "data/models/observatory-8m/config.json",
      append("\n"),
      { weights: "stale: the model's config changed" },
    ],
    [
      "the tokenizer",
      "data/models/observatory-8m/tokenizer.json",
      append("\n"),
      { weights: "stale: the model's tokenizer changed" },
    ],
    [
      "the engine",
      "engine/model.ts",
      (text: string) => text.replace("export class Model {", "export class Model {\n  readonly changed = true;"),
      { weights: "stale: the code changed (engine/model.ts)" },
    ],
    [
      "the runtime's version",
      "package-lock.json",
      (text: string) => bump(text, "onnxruntime-node"),
      { weights: expect.stringMatching(/^stale: package onnxruntime-node changed from ".*" to "99\.0\.0"$/) },
    ],
    ["the runtime of another device", "package-lock.json", (text: string) => bump(text, "onnxruntime-web"), {}],
    [
      "what encodes every table",
      "package-lock.json",
      (text: string) => bump(text, "flatbuffers"),
      {
        counts: expect.stringMatching(/^stale: package flatbuffers changed/),
        weights: expect.stringMatching(/^stale: package flatbuffers changed/),
      },
    ],
  ] as const)("%s", async (_, file, change, stale) => {
    expect(await project.with(file, change, states)).toEqual({ ...allFresh, ...stale });
  });

  test("the weights", async () => {
    const file = "data/models/observatory-8m/model.safetensors";
    const flip = (bytes: Buffer) => {
      bytes[bytes.length - 1] ^= 1;
      return bytes;
    };
    expect(await project.withBytes(file, flip, states)).toEqual({
      ...allFresh,
      weights: "stale: the model's weights changed",
    });
  });
});

test("a variable that an experiment declares is part of its key, and no other", async () => {
  const declare = (text: string) => text.replace("inputs: {", 'environment: ["COUNTED_FROM"],\n  inputs: {');
  const under = async (name: string, value: string) => {
    process.env[name] = value;
    try {
      return await states();
    } finally {
      delete process.env[name];
    }
  };
  await project.with("loaders/experiments/counts.ts", declare, async () => {
    expect(await project.run("run", "counts")).toMatchObject({ code: 0 });
    expect(await states()).toEqual(allFresh);
    expect(await under("COUNTED_TO", "9")).toEqual(allFresh);
    expect(await under("COUNTED_FROM", "7")).toEqual({
      ...allFresh,
      counts: 'stale: environment variable COUNTED_FROM changed from null to "7"',
    });
  });
});

test("an experiment that reads what its key would not know is refused, and says why", async () => {
  const read = (text: string) =>
    `import { readFileSync } from "node:fs";\n${text.replace("i + 1, rows", "readFileSync(name).length, rows")}`;
  await project.with("loaders/experiments/counts.ts", read, async () => {
    const counts = expect.stringMatching(
      /^failed: loaders\/experiments\/counts\.ts imports node:fs, and what it finds/,
    );
    expect(await states()).toEqual({ counts, weights: "fresh" });
    expect(await project.run("run", "counts")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("declare files as inputs"),
    });
  });
});

test("an experiment that reads a variable which it does not declare is refused, and says which", async () => {
  const read = (text: string) => text.replace("i + 1, rows", "i + Number(process.env.COUNTED_FROM ?? 1), rows");
  const declare = (text: string) => text.replace("inputs: {", 'environment: ["COUNTED_FROM"],\n  inputs: {');
  await project.with("loaders/experiments/counts.ts", read, async () => {
    const counts = expect.stringMatching(/^failed: it reads the environment variable COUNTED_FROM, .* declare it/);
    expect(await states()).toEqual({ counts, weights: "fresh" });
    await project.with("loaders/experiments/counts.ts", declare, async () => {
      expect(await states()).toMatchObject({ counts: expect.stringMatching(/^stale/) });
    });
  });
});

test("a broken experiment fails alone, and says why", async () => {
  await project.with("loaders/experiments/counts.ts", append("\nexport const = 1;\n"), async () => {
    expect(await states()).toEqual({ counts: expect.stringMatching(/^failed: /), weights: "fresh" });
  });
});

/** Another version of a package in the lockfile. */
function bump(lockfile: string, name: string): string {
  const parsed = JSON.parse(lockfile);
  parsed.packages[`node_modules/${name}`].version = "99.0.0";
  return JSON.stringify(parsed);
}
