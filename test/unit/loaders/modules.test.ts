import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fromJoined, type JoinedModules, joinModules } from "../../../loaders/site/modules.js";

const site = mkdtempSync(join(tmpdir(), "modules-"));
afterAll(() => rmSync(site, { recursive: true }));

const files = {
  "package.json": '{"type": "module"}',
  "index.html": 'import("./_import/components/figure.0a.js"), import("./_import/engine/count.0b.js")',
  "papers/one.html": 'import("../_import/components/figure.0a.js")',
  "lab.html": 'import("./_import/engine/count.0b.js"), import("./_import/components/lab/lab.0c.js")',
  "plain.html": "nothing",
  "_node/library@1/index.js": 'export const library = "library";',
  "_node/library@1/library.wasm": "",
  "_import/engine/count.0b.js": "let count = 0; export const next = () => ++count;",
  "_import/components/figure.0a.js": `
    import { next } from "../engine/count.0b.js";
    import { library } from "../../_node/library@1/index.js";
    export const figure = () => library + next();
    export const texts = "of figures";
    export const late = async () => (await import("./late.0d.js")).late;
    export const file = new URL("../../data.arrow", import.meta.url).href;
    export const wasm = import.meta.resolve("../../_node/library@1/library.wasm");`,
  "_import/components/late.0d.js": 'import { next } from "../engine/count.0b.js"; export const late = "late" + next();',
  "_import/components/lab/lab.0c.js": `
    export const worker = import.meta.resolve("./worker.0e.js");
    export const texts = "of the lab";`,
  "_import/components/lab/worker.0e.js": 'export { next } from "../../engine/count.0b.js";',
};

interface Count {
  next(): number;
}

interface Charts {
  readonly "engine/count": Count;
  readonly "components/figure": {
    figure(): string;
    late(): Promise<string>;
    readonly texts: string;
    readonly file: string;
    readonly wasm: string;
  };
}

interface Tools {
  readonly "engine/count": Count;
  readonly "components/lab/lab": { readonly texts: string; readonly worker: string };
}

let joined: Map<string, JoinedModules>;
let modules: { readonly charts: Charts; readonly tools: Tools };
beforeAll(async () => {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(site, file)), { recursive: true });
    writeFileSync(join(site, file), text);
  }
  joined = await joinModules(site, ["index.html", "lab.html", "papers/one.html", "plain.html"]);
  const load = (page: string) => import(pathToFileURL(join(site, joined.get(page)!.file)).href);
  modules = { charts: await load("index.html"), tools: await load("lab.html") };
});

test("pages with charts share a file, others another, and what imports nothing has none", () => {
  expect([...joined.keys()].sort()).toEqual(["index.html", "lab.html", "papers/one.html"]);
  expect(joined.get("index.html")).toEqual(joined.get("papers/one.html"));
  expect(joined.get("lab.html")?.file).not.toBe(joined.get("index.html")?.file);
});

test("modules keep their own names, and there is one of each", () => {
  const { charts, tools } = modules;
  expect(Object.keys(charts).sort()).toEqual(["components/figure", "engine/count"]);
  expect([charts["components/figure"].texts, tools["components/lab/lab"].texts]).toEqual(["of figures", "of the lab"]);
  expect(charts["components/figure"].figure()).toBe("library1");
  expect(tools["engine/count"].next()).toBe(2);
});

test("what a module loads later stays apart, and shares what it imports", async () => {
  const before = modules.charts["engine/count"].next();
  expect(await modules.charts["components/figure"].late()).toBe(`late${before + 1}`);
});

test("a page is told all that is loaded with its modules, and no more", () => {
  const needs = joined.get("papers/one.html")?.needs ?? [];
  expect(needs).toContain("_node/library@1/index.js");
  expect(joined.get("lab.html")?.needs).not.toContain("_node/library@1/index.js");
  expect(needs.filter((file) => !existsSync(join(site, file)))).toEqual([]);
  expect(needs.filter((file) => /late/.test(file))).toEqual([]);
});

test("addresses lead where they led", () => {
  const { file, wasm } = modules.charts["components/figure"];
  expect(fileURLToPath(file)).toBe(join(site, "data.arrow"));
  expect(fileURLToPath(wasm)).toBe(join(site, "_node/library@1/library.wasm"));
});

test("a worker is one file, with all that it imports", async () => {
  const file = fileURLToPath(modules.tools["components/lab/lab"].worker);
  expect(readFileSync(file, "utf8")).not.toMatch(/\bimport\b/);
  expect((await import(file)).next()).toBe(1); // another realm has another
});

test("single modules are gone", () => {
  const left = readdirSync(join(site, "_import"), { recursive: true, encoding: "utf8" });
  expect(left.filter((file) => /\.0[a-e]\.js$/.test(file))).toEqual([]);
});

test("a page's script takes its imports from there", () => {
  const script = 'const [{figure}] = await Promise.all([import("../_import/components/figure.0a.js")]);';
  const { file, needs } = joined.get("papers/one.html")!;
  expect(fromJoined(script, "papers", { file, needs })).toBe(
    `const [{figure}] = await Promise.all([import("../${file}").then((modules) => modules["components/figure"])]);`,
  );
});
