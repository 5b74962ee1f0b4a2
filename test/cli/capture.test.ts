/** `observatory capture` as a user meets it, held to the outputs of transformers. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Table, tableFromIPC } from "apache-arrow";
import { afterAll, describe, expect, test } from "vitest";
import type { Architecture } from "../../engine/architecture.js";
import { rowMetrics } from "../../engine/metrics/columns.js";
import { goldenCheckpoint, goldenReference, largestError } from "../golden/golden.js";
import { Running } from "../project.js";
import { goldenFolder } from "../unit/engine/memory-source.js";
import { openDuckDb } from "../unit/loaders/duckdb.js";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "observatory-capture-"));
afterAll(() => rmSync(work, { recursive: true }));

const database = openDuckDb();

const start = (...args: readonly string[]) => new Running(join(checkout, "loaders/observatory.mjs"), args, work);
const observatory = (...args: readonly string[]) => start(...args).finished;

function idsFile(name: string, sequences: readonly ArrayLike<number>[]): string {
  const file = join(work, `${name}.json`);
  writeFileSync(file, JSON.stringify(sequences.map((ids) => Array.from(ids))));
  return file;
}

const bytesOf = (folder: string, table: string): Buffer => readFileSync(join(work, folder, `${table}.arrow`));
const read = (folder: string, table: string): Table => tableFromIPC(bytesOf(folder, table));
const column = (table: Table, name: string): ArrayLike<number> => table.getChild(name)?.toArray() ?? [];
const schemaOf = ({ schema }: Table) => schema.fields.map(({ name, type }) => `${name}: ${type}`);

/** Rotary and learned positions; then windows in every other layer, and learned sinks. */
describe.each(["llama", "gpt2", "gpt_oss"])("of %s", (name) => {
  const options = ["--model", goldenFolder(name), "--rows", "all", "--logits", "all", "--out", name];
  let reference: Awaited<ReturnType<typeof goldenReference>>;
  let architecture: Architecture;

  test("writes its tables, with their end markers, and prints where they are", async () => {
    reference = await goldenReference(name);
    architecture = (await goldenCheckpoint(name)).architecture;
    const { code, stdout, stderr } = await observatory(
      "capture",
      ...options,
      "--ids",
      idsFile(name, reference.sequences),
    );
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual(
      ["statistics", "received", "logits", "rows"].map((table) => join(work, name, `${table}.arrow`)),
    );
    expect(code).toBe(0);
    expect(readdirSync(join(work, name))).toHaveLength(4);
    for (const table of ["statistics", "received", "logits", "rows"]) {
      expect([...bytesOf(name, table).subarray(-8)], table).toEqual([255, 255, 255, 255, 0, 0, 0, 0]);
    }
    const places = ["sequence: Int32", "layer: Int32", "head: Int32"];
    const statistics = schemaOf(read(name, "statistics"));
    expect(statistics.slice(0, 5)).toEqual([...places, "query: Int32", "entropy: Float32"]);
    expect(statistics.slice(4).every((field) => field.endsWith(": Float32"))).toBe(true);
    expect(schemaOf(read(name, "received"))).toEqual([...places, "key: Int32", "received: Float32"]);
    expect(schemaOf(read(name, "rows"))).toEqual([...places, "query: Int32", "key: Int32", "probability: Float32"]);
    expect(schemaOf(read(name, "logits"))).toEqual([
      "sequence: Int32",
      "position: Int32",
      "token: Int32",
      "logit: Float32",
    ]);
    const passport = JSON.parse(read(name, "statistics").schema.metadata.get("passport") ?? "");
    expect(passport).toMatchObject({
      model: { name, weights: expect.stringMatching(/^[0-9a-f]{64}$/) },
      device: { name: "cpu" },
      precision: "float32",
      tokens: reference.sequences.map((ids) => ids.length),
      beyond_trained_length: false,
    });
  });

  test("agrees with the reference, row by row and in every statistic of them", async () => {
    const rows = read(name, "rows");
    const statistics = read(name, "statistics");
    const received = read(name, "received");
    const { tokens } = reference;
    const probability = column(rows, "probability");
    const wanted = rowMetrics.map((): number[] => []);
    const attention: number[] = [];
    const alpha: number[] = [];
    for (let sequence = 0; sequence < reference.sequences.length; ++sequence) {
      for (const [layer, { attention: kind }] of architecture.blocks.entries()) {
        const first = (query: number) => Math.max(0, query + 1 - (kind.window ?? tokens));
        const matrix = await reference.read(`attentions.${layer}`, sequence); // [heads, queries, keys]
        for (let head = 0; head < architecture.heads; ++head) {
          const at = (query: number, key: number) => matrix[(head * tokens + query) * tokens + key];
          const causal = Array.from({ length: tokens }, (_, q) => Array.from({ length: q + 1 }, (_, k) => at(q, k)));
          attention.push(...causal.flatMap((row, query) => row.slice(first(query))));
          for (const [i, { metric }] of rowMetrics.entries()) {
            wanted[i].push(...causal.map((row, query) => metric.reference(row, query, row.length - first(query))));
          }
          for (let key = 0; key < tokens; ++key) {
            const sum = causal.slice(key).reduce((total, row) => total + row[key], 0);
            alpha.push(sum / (tokens - key));
          }
        }
      }
    }
    expect(largestError(probability, attention)).toBeLessThan(5e-5);
    for (const [i, { metric }] of rowMetrics.entries()) {
      const values = Array.from(statistics.getChild(metric.id) ?? [], (value) => value ?? Number.NaN);
      expect(largestError(values, wanted[i], true), metric.id).toBeLessThan(1e-4);
    }
    expect(largestError(column(received, "received"), alpha)).toBeLessThan(1e-4);
    const logits = read(name, "logits");
    const expected = await Promise.all(reference.sequences.map((_, sequence) => reference.read("logits", sequence)));
    expect(
      largestError(
        column(logits, "logit"),
        expected.flatMap((values) => Array.from(values)),
      ),
    ).toBeLessThan(2e-4);
  });

  test("says of every row where it belongs", async () => {
    const { insert, query } = await database;
    for (const table of ["statistics", "received", "logits", "rows"]) insert(`${name}_${table}`, bytesOf(name, table));
    const { sequences, tokens } = reference;
    const { blocks, heads, vocabulary } = architecture;
    const seen = (window = tokens) => sequences.length * heads * sum(tokens, (query) => Math.min(query + 1, window));
    const places = blocks.reduce((total, { attention }) => total + seen(attention.window), 0);
    const [rows] = query(`SELECT count(*) AS n, count(DISTINCT (sequence, layer, head, query, key)) AS distinct_places,
      max(query - key) AS furthest, bool_and(key <= query) AS causal FROM ${name}_rows`);
    expect(rows).toEqual({ n: places, distinct_places: places, furthest: tokens - 1, causal: true });
    const [sums] = query(`SELECT min(s) AS least, max(s) AS most FROM
      (SELECT sum(probability) AS s FROM ${name}_rows GROUP BY sequence, layer, head, query)`);
    expect(sums.most).toBeLessThan(1 + 1e-5);
    expect(sums.least).toBeGreaterThan(blocks.some(({ attention }) => attention.sinks) ? 0 : 1 - 1e-5);
    const [firsts] = query(
      `SELECT count(*) AS n, max(query) AS query FROM ${name}_statistics WHERE "normalised-entropy" IS NULL`,
    );
    expect(firsts).toEqual({ n: sequences.length * blocks.length * heads, query: 0 });
    const [logits] = query(`SELECT max(position) AS position, max(token) AS token, count(*) AS n FROM ${name}_logits`);
    expect(logits).toEqual({
      position: tokens - 1,
      token: vocabulary - 1,
      n: sequences.length * tokens * vocabulary,
    });
  });
});

const sum = (count: number, of: (index: number) => number): number =>
  Array.from({ length: count }, (_, i) => of(i)).reduce((a, b) => a + b, 0);

describe("options", () => {
  const llama = ["--model", goldenFolder("llama")];

  test("by default the last position's logits come, and no rows; an earlier capture's tables do not stay", async () => {
    const ids = idsFile("two", [[5, 4, 3], [7]]);
    await observatory("capture", ...llama, "--ids", ids, "--out", "again", "--rows", "2.3,0.1");
    const chosen = read("again", "rows");
    expect([
      ...new Set(Array.from(column(chosen, "layer"), (layer, i) => `${layer}.${column(chosen, "head")[i]}`)),
    ]).toEqual(["0.1", "2.3"]);
    await observatory("capture", ...llama, "--ids", ids, "--out", "again");
    expect(readdirSync(join(work, "again")).sort()).toEqual(["logits.arrow", "received.arrow", "statistics.arrow"]);
    const logits = read("again", "logits");
    expect(logits.numRows).toBe(2 * 160);
    expect([...new Set(column(logits, "position") as Int32Array)]).toEqual([2, 0]);
    const before = bytesOf("again", "statistics");
    await observatory("capture", ...llama, "--ids", ids, "--out", "again", "--logits", "none");
    expect(readdirSync(join(work, "again")).sort()).toEqual(["received.arrow", "statistics.arrow"]);
    expect(Buffer.compare(before, bytesOf("again", "statistics"))).toBe(0);
  });

  test("--dtype f16 rounds the weights, and says so", async () => {
    const ids = idsFile("half", [[5, 4, 3, 90, 11, 12]]);
    await observatory("capture", ...llama, "--ids", ids, "--out", "single");
    await observatory("capture", ...llama, "--ids", ids, "--out", "half", "--dtype", "f16");
    const error = largestError(column(read("half", "logits"), "logit"), column(read("single", "logits"), "logit"));
    expect(error).toBeGreaterThan(1e-5);
    expect(error).toBeLessThan(5e-2);
    const passport = JSON.parse(read("half", "logits").schema.metadata.get("passport") ?? "");
    expect(passport.precision).toBe("weights float16, arithmetic float32");
  });

  test("--text is tokenized, with the start token unless told otherwise; many rows come in several batches", {
    tags: ["wide"],
  }, async () => {
    const text = Array.from({ length: 265 }, (_, i) => `The house number ${i} is red.`).join(" ");
    const auto = await observatory("capture", "--text", text, "--out", "text", "--logits", "none");
    expect(auto.stderr.split("\n").filter((line) => !line.startsWith("capture: "))).toEqual([
      expect.stringMatching(/^The prompt has \d+ tokens and the model was trained on 2048: .* extrapolation\.$/),
      "",
    ]);
    await observatory(
      "capture",
      "--text",
      text,
      "--out",
      "bare",
      "--logits",
      "none",
      "--bos",
      "never",
      "--rows",
      "3.2",
    );
    const [withStart, bare] = ["text", "bare"].map((folder) => read(folder, "statistics"));
    const tokens = withStart.numRows / 64;
    expect(tokens).toBeGreaterThan(2048);
    expect(bare.numRows / 64).toBe(tokens - 1);
    expect(withStart.batches.length).toBe(Math.ceil(withStart.numRows / 65_536));
    const expected = Int32Array.from({ length: withStart.numRows }, (_, i) => i % tokens);
    expect(Buffer.compare(Buffer.from(column(withStart, "query") as Int32Array), Buffer.from(expected))).toBe(0);
    const rows = read("bare", "rows"); // too long for the matrices of all heads at once
    expect(rows.numRows).toBe(((tokens - 1) * tokens) / 2);
    const largest = new Float32Array(tokens - 1);
    const [queries, probabilities] = [column(rows, "query"), column(rows, "probability")];
    for (let i = 0; i < rows.numRows; ++i) largest[queries[i]] = Math.max(largest[queries[i]], probabilities[i]);
    const head = (3 * 8 + 2) * (tokens - 1);
    const maximum = column(bare, "maximum") as Float32Array;
    expect(largestError(largest, maximum.subarray(head, head + tokens - 1))).toBeLessThan(1e-6);
    expect(JSON.parse(withStart.schema.metadata.get("passport") ?? "").beyond_trained_length).toBe(true);
  });
});

test("interrupted, it leaves nothing behind", async () => {
  const ids = idsFile(
    "long",
    Array.from({ length: 200 }, () => Array.from({ length: 1000 }, (_, i) => i)),
  );
  const running = start("capture", "--ids", ids, "--out", "broken");
  await running.until(/^capture: .* left$/m);
  running.kill("SIGINT");
  const { code, stdout, stderr } = await running.finished;
  expect(code).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/\nInterrupted; what was finished is kept\.\n$/);
  expect(existsSync(join(work, "broken"))).toBe(false);
});

describe("a folder for the output", () => {
  const capture = (out: string, ids = "[[1, 2, 3]]", ...others: readonly string[]) => {
    writeFileSync(join(work, "few.json"), ids);
    return observatory("capture", "--model", goldenFolder("llama"), "--ids", "few.json", "--out", out, ...others);
  };

  test("that cannot be is refused in one sentence", async () => {
    writeFileSync(join(work, "file"), "");
    symlinkSync("nowhere", join(work, "dangling"));
    mkdirSync(join(work, "taken/statistics.arrow"), { recursive: true });
    const unusable = ["", "file", "file/below", "dangling", "n".repeat(300), "taken"];
    if (process.platform === "linux") unusable.push("/proc/observatory", "/proc");
    for (const out of unusable) {
      const { code, stdout, stderr } = await capture(out);
      expect({ code, stdout }, out).toEqual({ code: 2, stdout: "" });
      expect(stderr, out).toMatch(/^Nothing can be written to [^\n]* \([A-Z_]+\): [^\n]*\.\n$/);
    }
    expect(readdirSync(join(work, "taken"))).toEqual(["statistics.arrow"]);
  });

  test("is taken away again where nothing came of it, with those made above it", async () => {
    mkdirSync(join(work, "here"));
    for (const out of ["made/for/nothing", "here/and/there"]) {
      const { code, stderr } = await capture(out, "[[1, 2, 3]]", "--device", "webgpu:no such adapter");
      expect(code, stderr).toBe(2);
    }
    expect(existsSync(join(work, "made"))).toBe(false);
    expect(readdirSync(join(work, "here"))).toEqual([]);
  });

  test("is not made for the last of very many sequences either, where that is none", { tags: ["wide"] }, async () => {
    const { code, stderr } = await capture("many", `[${"[1],".repeat(200_000)}[160]]`);
    expect(stderr).toMatch(/^Sequence 200000: Token 0 of the prompt has the id 160, [^\n]*\n$/);
    expect(code).toBe(2);
    const large = await capture("many", `[${"[1],".repeat(200_000)}[${"1,".repeat(3e4)}1]]`, "--rows", "0.0");
    expect(large.stderr).toMatch(/^--rows holds whole attention matrices, and those of 30001 tokens are too large/);
    expect(large.code).toBe(2);
  });

  test("is not made for ids that are none, however they are nested", async () => {
    const depth = 20_000;
    const { code, stderr } = await capture("nested", `[[${"[".repeat(depth)}${"]".repeat(depth)}]]`);
    expect(stderr).toBe(
      "few.json: sequence 0 holds something nested very deeply at place 0, but a token id is a whole number.\n",
    );
    expect(code).toBe(2);
    expect(existsSync(join(work, "nested"))).toBe(false);
  });
});
