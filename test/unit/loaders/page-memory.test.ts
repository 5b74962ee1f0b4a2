/** What a build remembers of the last one's pages is what it would find again, or nothing. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PageMemory } from "../../../loaders/site/notebook/memory.js";
import type { PageContent } from "../../../loaders/site/notebook/page.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "observatory-test-"));
  mkdirSync(join(folder, "site/_import/components"), { recursive: true });
  writeFileSync(join(folder, "site/_import/components/figure.0a1b2c3d.js"), "");
  writeFileSync(join(folder, "site/sinks.html"), "<p>one");
});
afterEach(() => rmSync(folder, { recursive: true }));

const answer = { sql: "SELECT 1", key: "k", rows: [{ n: 1, of: [null, 2.5] }], stream: new Uint8Array([1, 2, 3]) };
const found: PageContent = {
  cells: new Map([["a1", [{ kind: "text", text: "12 %" }]]]),
  tables: new Map([["heads", "./_file/data/heads.01234567.arrow"]]),
  answers: [answer],
  passports: [{ experiment: "sinks", key: "0", date: "2026-01-01" }],
};

let reads = 0;
async function build(): Promise<{ content: PageContent; read: boolean }> {
  const memory = await PageMemory.open(join(folder, "site"), join(folder, "memory"));
  const before = reads;
  const content = await memory.content("sinks.html", async () => {
    reads += 1;
    return found;
  });
  await memory.forgetOthers();
  return { content, read: reads > before };
}

test("a page that is the same is not read again, and shows the same", async () => {
  expect(await build()).toEqual({ content: found, read: true });
  expect(await build()).toEqual({ content: found, read: false });
});

test.each([
  ["another page", () => writeFileSync(join(folder, "site/sinks.html"), "<p>two")],
  ["another module", () => writeFileSync(join(folder, "site/_import/components/format.4e5f6a7b.js"), "")],
])("%s is read, and the one before is forgotten", async (_, change) => {
  await build();
  change();
  expect(await build()).toEqual({ content: found, read: true });
  expect(readdirSync(join(folder, "memory"))).toHaveLength(1);
});

test("what is not as it was written is not used", async () => {
  await build();
  const [name] = readdirSync(join(folder, "memory"));
  const file = join(folder, "memory", name);
  const bytes = readFileSync(file);
  bytes[bytes.length - 2] ^= 1;
  for (const spoilt of [bytes, bytes.subarray(0, 70), Buffer.alloc(0)]) {
    writeFileSync(file, spoilt);
    expect(await build()).toEqual({ content: found, read: true });
  }
});
