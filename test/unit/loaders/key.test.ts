import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { codeOf } from "../../../loaders/store/code.js";
import { remembered } from "../../../loaders/store/code-memory.js";
import { differences, type Identity, type KeyParts, keyOf } from "../../../loaders/store/key.js";
import { packageVersions } from "../../../loaders/store/packages.js";

const root = mkdtempSync(join(tmpdir(), "code-"));
const cache = join(root, "cache");
afterAll(() => rmSync(root, { recursive: true }));

function write(file: string, content: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), content);
}

describe("code", () => {
  const entry = 'import { twice } from "./twice.js";\nexport const four = () => twice(2);\n';
  const twice =
    'import type { N } from "./types.js";\nimport { x } from "pack/sub";\nexport const twice = (n: N) => 2 * n + x;\n';

  const hash = async (files: Readonly<Record<string, string>> = {}) => {
    for (const [name, content] of Object.entries({
      "a.ts": entry,
      "twice.ts": twice,
      "types.ts": "export type N = number;\n",
      ...files,
    })) {
      write(name, content);
    }
    return codeOf(root, { a: ["a.ts"] }, cache).a;
  };

  test("lists what it is made of", async () => {
    const { sources, packages } = await hash();
    expect(Object.keys(sources)).toEqual(["a.ts", "twice.ts"]);
    expect(packages).toEqual(["pack/sub"]);
  });

  test.each([
    ["a comment", { "twice.ts": `// Doubles.\n${twice}` }],
    ["white space", { "a.ts": entry.replace("twice(2)", "twice( 2 )").replaceAll("\n", "\n\n") }],
    ["a type", { "types.ts": "export type N = 1 | 2;\n" }],
    ["a function that is not used", { "twice.ts": `${twice}export const thrice = (n: number) => 3 * n;\n` }],
    ["another file", { "b.ts": "export const b = 1;\n" }],
  ])("is the same after a change of %s", async (_, change) => {
    expect((await hash(change)).hash).toBe((await hash()).hash);
  });

  test.each([
    ["its own code", { "a.ts": entry.replace("twice(2)", "twice(3)") }],
    ["what it imports", { "twice.ts": twice.replace("2 * n", "n * 2") }],
    ["where it imports from", { "twice.ts": twice.replace("pack/sub", "pack") }],
  ])("is another after a change of %s", async (_, change) => {
    expect((await hash(change)).hash).not.toBe((await hash()).hash);
  });

  test.each([
    ["JSON", 'import data from "./data.json" with { type: "json" };\nexport const four = () => data.n;\n'],
    ["a module that is imported later", 'export const four = async () => (await import("./later.js")).n;\n'],
  ])("is another after a change of %s", async (_, content) => {
    const files = (n: number) => ({
      "a.ts": content,
      "data.json": `{"n":${n}}`,
      "later.ts": `export const n = ${n};\n`,
    });
    const before = await hash(files(4));
    expect(before.unseen).toEqual([]);
    expect((await hash(files(5))).hash).not.toBe(before.hash);
  });

  test.each([
    ["files", 'import { readFileSync } from "node:fs";\nexport const x = readFileSync;\n', "a.ts imports node:fs"],
    ["files, promised", 'import * as fs from "fs/promises";\nexport const x = fs;\n', "a.ts imports fs/promises"],
    [
      "code by its path",
      'import { createRequire } from "node:module";\nexport const x = createRequire;\n',
      "a.ts imports node:module",
    ],
    [
      "modules of computed names",
      "export const x = (n: string) => import(n);\n",
      "a.ts imports a module by a name that is computed",
    ],
  ])("that reaches for %s says so", async (_, content, sentence) => {
    expect((await hash({ "a.ts": content })).unseen).toEqual([sentence]);
  });

  test("says what its imports reach for, and nothing of other bundles or of types", async () => {
    const fs = 'import { readFileSync } from "node:fs";\nexport const x = 1;\nexport const y = readFileSync;\n';
    expect((await hash({ "a.ts": 'export { x } from "./twice.js";\n', "twice.ts": fs })).unseen).toEqual([
      "twice.ts imports node:fs",
    ]);
    await hash({
      "device.ts": fs,
      "a.ts": 'import type { Stats } from "node:fs";\nexport type S = Stats;\nexport const a = 1;\n',
    });
    expect((await codeOf(root, { a: ["a.ts", "device.ts"] }, cache).a).unseen).toEqual([]);
  });

  test("says which environment variables it reads, itself or by what it imports, and none of other bundles", async () => {
    const reading = (expression: string) =>
      `import { twice } from "./twice.js";\nexport const four = () => [twice, ${expression}];\n`;
    const none = await hash({ "a.ts": reading("4"), "twice.ts": "// process.env.NOT\nexport const twice = 1;\n" });
    expect(none.variables).toEqual([]);
    const two = await hash({
      "a.ts": reading("process.env.A ?? process.env?.B"),
      "twice.ts": 'export const twice = process.env["C"]; // and not process.env.NOT\n',
    });
    expect(two.variables).toEqual(["A", "B", "C"]);
    const computed = await hash({
      "a.ts": reading("Object.keys(process.env)"),
      "twice.ts": "export const twice = 1;\n",
    });
    expect(computed.variables).toEqual([undefined]);
    await hash({ "device.ts": "export const d = process.env.DEVICE;\n", "a.ts": reading("4") });
    expect((await codeOf(root, { a: ["a.ts", "device.ts"] }, cache).a).variables).toEqual([]);
  });

  test("that is broken does not stop the rest", async () => {
    await hash({ "broken.ts": "export const = 1;\n" });
    const { a, broken } = codeOf(root, { a: ["a.ts"], broken: ["broken.ts"] }, cache);
    await expect(broken).rejects.toThrow(/broken\.ts/);
    expect((await a).hash).toBe((await hash()).hash);
  });
});

describe("what was found of code", () => {
  let times = 0;
  const ask = async (question = "all", inputs = ["engine/a.ts"], meanwhile = () => {}) => {
    const before = times;
    const find = async () => {
      meanwhile();
      return { found: { answer: ++times }, inputs };
    };
    const found = await remembered(question, { root, cache: join(root, "memory") }, find);
    return { found: times > before, answer: found.answer };
  };

  test("is remembered while every file of its rooms is as it was", async () => {
    write("engine/a.ts", "export const a = 1;\n");
    write("loaders/b.ts", "export const b = 1;\n");
    const first = await ask();
    expect(first.found).toBe(true);
    expect(await ask()).toEqual({ found: false, answer: first.answer });
    expect((await ask("another")).found).toBe(true);
    expect(await ask()).toEqual({ found: false, answer: first.answer });
  });

  test.each([
    ["changes", () => write("loaders/b.ts", "export const b = 2;\n")],
    ["comes", () => write("engine/a.js", "export const a = 2;\n")],
    ["goes", () => rmSync(join(root, "engine/a.js"))],
    ["is renamed", () => renameSync(join(root, "loaders/b.ts"), join(root, "loaders/c.ts"))],
  ])("is found again where a file %s", async (_, change) => {
    await ask();
    change();
    expect((await ask()).found).toBe(true);
    expect((await ask()).found).toBe(false);
  });

  test.each([
    ["cut off", (text: string) => text.slice(0, -1)],
    ["empty", () => ""],
    ["other than it was", (text: string) => text.replace(/\d+\}$/, "0}")],
  ])("is found again where what was remembered is %s", async (_, spoil) => {
    const { answer } = await ask("spoilt");
    for (const name of readdirSync(join(root, "memory"))) {
      const file = join(root, "memory", name);
      writeFileSync(file, spoil(readFileSync(file, "utf8")));
    }
    const again = await ask("spoilt");
    expect(again.found).toBe(true);
    expect(again.answer).not.toBe(answer);
  });

  test("is not remembered where it comes from elsewhere, or from files that change meanwhile", async () => {
    await ask("elsewhere", ["engine/a.ts", "data/c.json"]);
    expect((await ask("elsewhere")).found).toBe(true);
    await ask("meanwhile", ["engine/a.ts"], () => write("engine/a.ts", "export const a = 3;\n"));
    expect((await ask("meanwhile")).found).toBe(true);
  });
});

describe("packages", () => {
  const cache = join(root, "cache");
  const lock = (versions: Readonly<Record<string, string>>) =>
    write(
      "package-lock.json",
      JSON.stringify({
        packages: Object.fromEntries(
          Object.entries(versions).map(([name, version]) => [`node_modules/${name}`, { version }]),
        ),
      }),
    );

  test("are those that code runs through, in the versions that are locked", async () => {
    write(
      "node_modules/pack/package.json",
      '{"name":"pack","version":"1.0.0","main":"index.js","dependencies":{"inner":"*","tool":"*"}}',
    );
    write("node_modules/pack/index.js", 'exports.x = require("inner") + require("./native.node");\n');
    write("node_modules/pack/native.node", "\0");
    write("node_modules/pack/node_modules/inner/package.json", '{"name":"inner","version":"2.0.0","main":"index.js"}');
    write("node_modules/pack/node_modules/inner/index.js", "module.exports = 1;\n");
    lock({ pack: "1.0.0", "pack/node_modules/inner": "2.0.0", inner: "3.0.0", tool: "4.0.0" });
    expect(await packageVersions({ root, cache })(["pack"])).toEqual({
      pack: "1.0.0",
      "pack/node_modules/inner": "2.0.0",
    });
    lock({ pack: "1.0.0", "pack/node_modules/inner": "2.0.1", inner: "3.0.0", tool: "4.0.0" });
    expect(await packageVersions({ root, cache })(["pack"])).toEqual({
      pack: "1.0.0",
      "pack/node_modules/inner": "2.0.1",
    });
  });

  test("may lie behind a link", async () => {
    const linked = join(root, "linked");
    mkdirSync(linked);
    symlinkSync(join(root, "node_modules"), join(linked, "node_modules"));
    write("linked/package-lock.json", JSON.stringify({ packages: { "node_modules/pack": { version: "1.0.0" } } }));
    expect(await packageVersions({ root: linked, cache })(["pack"])).toMatchObject({ pack: "1.0.0" });
  });
});

describe("a key", () => {
  const parts: KeyParts = {
    experiment: "sinks",
    code: "c0",
    packages: { "onnxruntime-node": "1.30.0" },
    parameters: { length: 512, layers: [1, 2] },
    inputs: { texts: "aa" },
    model: { config: "cc", weights: "ee", tokenizer: "ff" },
    device: "cpu",
    precision: "float32",
  };
  const identity = (changed: Partial<KeyParts> = {}, sources = { "engine/model.ts": "s0" }): Identity => {
    const keyParts = { ...parts, ...changed };
    return { key: keyOf(keyParts), keyParts, sources };
  };

  test("does not depend on the order of names", () => {
    const { experiment, code, ...rest } = parts;
    expect(keyOf({ ...rest, code, experiment })).toBe(keyOf(parts));
    expect(keyOf({ ...parts, parameters: { layers: [1, 2], length: 512 } })).toBe(keyOf(parts));
    expect(keyOf({ ...parts, parameters: { layers: [2, 1], length: 512 } })).not.toBe(keyOf(parts));
  });

  test("changes with every part, and says which", () => {
    const changes: [Partial<KeyParts>, string[]][] = [
      [{ code: "c1" }, ["the code changed"]],
      [{ packages: { "onnxruntime-node": "1.31.0" } }, ['package onnxruntime-node changed from "1.30.0" to "1.31.0"']],
      [{ packages: { ...parts.packages, tslib: "2.0.0" } }, ["package tslib is new"]],
      [{ parameters: { length: 1024, layers: [1, 2] } }, ["parameter length changed from 512 to 1024"]],
      [{ parameters: { length: 512, layers: [1] } }, ["parameter layers changed from [1,2] to [1]"]],
      [{ parameters: { length: 512 } }, ["parameter layers is gone"]],
      [{ inputs: { texts: "ab" } }, ["input texts changed"]],
      [{ model: { config: "cc", weights: "e1", tokenizer: "ff" } }, ["the model's weights changed"]],
      [{ model: { config: "cc", weights: "ee", tokenizer: "f1" } }, ["the model's tokenizer changed"]],
      [{ device: "wasm" }, ['the device changed from "cpu" to "wasm"']],
    ];
    for (const [change, sentences] of changes) {
      expect(identity(change).key).not.toBe(identity().key);
      expect(differences(identity(), identity(change))).toEqual(sentences);
    }
    expect(differences(identity(), identity())).toEqual([]);
    expect(differences(identity(), identity({ code: "c1" }, { "engine/model.ts": "s1" }))).toEqual([
      "the code changed (engine/model.ts)",
    ]);
  });
});
