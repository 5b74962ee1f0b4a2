/** The engine as another package sees it: built, imported by the package's name, with its types. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const model = join(checkout, "data/models/observatory-8m");
const run = promisify(execFile);

let consumer: string;

beforeAll(async () => {
  await run(process.execPath, ["loaders/start.mjs", "loaders/build-library.ts"], { cwd: checkout });
  consumer = await mkdtemp(join(tmpdir(), "observatory-consumer-"));
  await writeFile(join(consumer, "package.json"), JSON.stringify({ name: "consumer", type: "module" }));
  await run("mkdir", ["node_modules"], { cwd: consumer });
  await symlink(checkout, join(consumer, "node_modules/attention-observatory")); // what `npm install FOLDER` makes
}, 120_000);

afterAll(() => rm(consumer, { recursive: true }));

test("the example prints the entropy of each head, and its value", async () => {
  const example = join(consumer, "entropy.mjs");
  await writeFile(example, await readFile(new URL("entropy.mjs", import.meta.url)));
  const { stdout, stderr } = await run(process.execPath, [example, model, "Once upon a time there was a fox."]);
  const lines = stdout.trim().split("\n");
  expect(stderr).toBe("");
  expect(lines).toHaveLength(64);
  for (const line of lines) expect(line).toMatch(/^layer [0-7], head [0-7]: [0-3]\.\d{3} nats$/);
  expect(new Set(lines.map((line) => line.split(": ")[1])).size).toBeGreaterThan(32); // heads differ
});

test.each([
  ["Node", "nodenext", "nodenext"],
  ["a browser's bundler", "bundler", "esnext"],
])("types hold for %s", async (_, resolution, module) => {
  const file = join(consumer, `${resolution}.ts`);
  await writeFile(
    file,
    `import { type Backend, type ByteSource, type Forward, Model, openCheckpoint, rowMetrics } from "attention-observatory";
export async function entropy(source: ByteSource, backend: Backend): Promise<Float32Array | undefined> {
  const model: Model = await Model.load(await openCheckpoint(source), backend);
  const forward: Forward = await model.forward({ ids: Int32Array.of(1, 2) }, { rows: true });
  // @ts-expect-error tokens are a number
  const wrong: string = forward.tokens;
  return rowMetrics.length > 0 && wrong ? forward.entropy?.data : undefined;
}
`,
  );
  const resolved = ["--moduleResolution", resolution, "--module", module, "--skipLibCheck", "--types", ""];
  const strict = ["--noEmit", "--strict", "--target", "es2023", "--lib", "es2023,dom"];
  await run(join(checkout, "node_modules/.bin/tsc"), [...strict, ...resolved, file], { cwd: consumer });
});

test("the browser's entry needs nothing of Node", async () => {
  const { outputFiles } = await build({
    stdin: { contents: 'export { Model } from "attention-observatory";', resolveDir: consumer },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser", // a module of Node would be an error
  });
  expect(outputFiles[0].text).toMatch(/class Model|Model = class/);
});
