import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TreeWatch } from "../../../loaders/site/watch.js";

let folder: string;
let changes: number;
let tree: TreeWatch;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "watch-"));
  mkdirSync(join(folder, "code/inner"), { recursive: true });
  for (const file of ["code/inner/a.ts", "lock.json", "other.json"]) writeFileSync(join(folder, file), "0");
  changes = 0;
  tree = new TreeWatch({
    paths: ["code", "lock.json"].map((path) => join(folder, path)),
    changed: () => {
      ++changes;
    },
    lost: (path, code) => expect.unreachable(`${path}: ${code}`),
  });
});
afterEach(() => {
  tree.close();
  rmSync(folder, { recursive: true });
});

/** As editors save that never leave half a file. */
function replace(file: string): void {
  writeFileSync(join(folder, "draft"), String(Math.random()));
  renameSync(join(folder, "draft"), join(folder, file));
}

async function expectSeen(change: () => void): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50)); // what was before is told by then
  changes = 0;
  change();
  await expect.poll(() => changes, { timeout: 5000 }).toBeGreaterThan(0);
  tree.follow();
}

describe("a change is seen", () => {
  test.each(["code/inner/a.ts", "lock.json"])("of %s, written in place or replaced, each time", async (file) => {
    for (let i = 0; i < 3; ++i) {
      await expectSeen(() => replace(file));
      await expectSeen(() => writeFileSync(join(folder, file), String(i)));
    }
  });

  test("in a folder that is new, and in one that takes the place of another", async () => {
    await expectSeen(() => mkdirSync(join(folder, "code/new")));
    await expectSeen(() => writeFileSync(join(folder, "code/new/b.ts"), "0"));
    await expectSeen(() => {
      rmSync(join(folder, "code/new"), { recursive: true });
      mkdirSync(join(folder, "code/new/deep"), { recursive: true });
    });
    await expectSeen(() => writeFileSync(join(folder, "code/new/deep/c.ts"), "0"));
    await expectSeen(() => {
      mkdirSync(join(folder, "elsewhere/inner"), { recursive: true });
      renameSync(join(folder, "code"), join(folder, "before"));
      renameSync(join(folder, "elsewhere"), join(folder, "code"));
    });
    await expectSeen(() => writeFileSync(join(folder, "code/inner/d.ts"), "0"));
  });
});

test("what lies beside is nobody's business", async () => {
  writeFileSync(join(folder, "other.json"), "1");
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(changes).toBe(0);
});
