/** What the build writes beside a page says what the page says. */
import { readFile } from "node:fs/promises";
import { Validator } from "@cfworker/json-schema";
import type { Browser } from "playwright-core";
import { beforeAll, expect, inject, test } from "vitest";
import { pages } from "./cases.js";
import { openChromium } from "./chromium.js";
import { visit } from "./visit.js";

const site = inject("site");
/** Pages that are reports; those of papers are lists. */
const names = pages.filter((page) => !page.startsWith("papers")).map((page) => page || "index");
const text = async (file: string) => (await fetch(`${site}${file}`)).text();

interface Notebook {
  readonly cells: readonly {
    readonly id: string;
    readonly cell_type: "markdown" | "code";
    readonly source: readonly string[];
    readonly outputs?: readonly { readonly data: Readonly<Record<string, Drawing>> }[];
  }[];
}

interface Drawing {
  readonly data: { readonly values: readonly object[] };
}

const VEGA_LITE = "application/vnd.vegalite.v5+json";
const read = async (name: string): Promise<Notebook> => JSON.parse(await text(`${name}.ipynb`));
const textOf = ({ source }: Notebook["cells"][number]) => source.join("");

let browser: Browser;
beforeAll(async () => {
  browser = await openChromium();
});

test("every notebook is valid by the schema of its format, and has ids of its own", async () => {
  const schema = JSON.parse(await readFile(new URL("nbformat/nbformat.v4.5.schema.json", import.meta.url), "utf8"));
  const validator = new Validator(schema, "4", false);
  for (const name of names) {
    const notebook = await read(name);
    expect(validator.validate(notebook).errors, name).toEqual([]);
    const ids = notebook.cells.map(({ id }) => id);
    expect(new Set(ids).size, name).toBe(ids.length);
  }
  expect(validator.validate({ ...(await read("entropy")), cells: [{ cell_type: "code" }] }).valid).toBe(false);
});

test("a notebook has the claims of the page, in their order, and a drawing with data for each", async () => {
  const { page, close } = await visit(browser, `${site}entropy`, "light", 1280);
  try {
    const claims = await page.locator("main figure.figure .claim").allTextContents();
    const { cells } = await read("entropy");
    const said = cells.map(textOf).filter((source) => source.startsWith("**"));
    expect(said.map((source) => source.slice(2, source.indexOf("**", 2)))).toEqual(claims);
    const drawings = cells.flatMap(({ outputs = [] }) => outputs.flatMap(({ data }) => data[VEGA_LITE] ?? []));
    expect(drawings).toHaveLength(claims.length);
    for (const { data } of drawings) expect(data.values.length).toBeGreaterThan(0);
  } finally {
    await close();
  }
});

test("the code of a notebook reads files that are there, and asks the query of the page", async () => {
  for (const name of names) {
    const code = (await read(name)).cells.filter(({ cell_type }) => cell_type === "code").map(textOf);
    const files = [...code[0].matchAll(/read\("([^"]+\.arrow)"\)/g)].map(([, file]) => file);
    expect(files.length, name).toBeGreaterThan(0);
    for (const file of files) expect((await fetch(`${site}${file}`, { method: "HEAD" })).status, file).toBe(200);
    for (const call of code.slice(1)) expect(call).toMatch(/^show\("+(SELECT|WITH)\b/);
  }
});

test("Markdown and citations carry the keys of the results", async () => {
  const markdown = await text("entropy.md");
  const [key] = /\b[0-9a-f]{64}\b/.exec(markdown) ?? [];
  expect(key).toBeDefined();
  expect(markdown).toMatch(/^# How widely/);
  expect(markdown).not.toMatch(/\$\{|<div|<section/);
  expect(await text("entropy.bib")).toMatch(
    new RegExp(`^@misc\\{attention-observatory-entropy,[^@]*Results: entropy ${key}`),
  );
  const cff = await text("entropy.cff");
  expect(cff).toMatch(/^cff-version: 1\.2\.0\ntitle: "Attention entropy/);
  expect(cff).toContain(`value: "${key}"`);
});

test("a page leads to its files", async () => {
  const html = await text("entropy");
  for (const ending of ["ipynb", "md", "bib", "cff"]) expect(html).toContain(`href="./entropy.${ending}"`);
});
