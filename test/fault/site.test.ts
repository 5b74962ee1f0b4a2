/** Whatever happens to a build, the last site stays, and nothing is published that is not what it says it is. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { full } from "../full.js";
import { Project, processesOf } from "../project.js";

const home = `# Squares

\`\`\`js
display(await FileAttachment("data/counts/squares.arrow").arrayBuffer());
\`\`\`
`;

const project = new Project();
let good: Map<string, Buffer>;
let duration: number;

beforeAll(async () => {
  project.addSite(home);
  expect((await project.run("build", "--run")).code).toBe(0);
  const start = performance.now();
  expect((await project.run("build")).code).toBe(0);
  duration = performance.now() - start;
  good = project.site();
}, 120_000);
afterAll(() => project.remove());

/** Shares of a build's time: a few, or in the full suite many at random. */
const moments = full ? Array.from({ length: 20 }, () => Math.random()) : [0.5, 0.95];

describe("a build that is killed", () => {
  test.each(moments)("by SIGKILL after %f of its time keeps the last site, whole", async (moment) => {
    const build = project.start("build");
    await sleep(moment * duration);
    build.killGroup("SIGKILL");
    await build.finished;
    await expect.poll(() => processesOf(project), { timeout: 10_000 }).toEqual([]);
    const left = project.site();
    // Between two renames there is no site for a moment; the next build puts the last one back.
    expect(left.size > 0 ? left : project.site(".dist/before")).toEqual(good);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "by %s while it renders says so and keeps the last site",
    async (signal) => {
      const build = project.start("build", "--debug");
      await build.until(/load \S*\//);
      build.kill(signal);
      const { code, stderr } = await build.finished;
      expect(stderr).toContain("Interrupted");
      expect(code).toBe(130);
      expect(project.site()).toEqual(good);
    },
  );

  test("is not in the way of the next", async () => {
    expect((await project.run("build")).code).toBe(0);
    expect(project.site()).toEqual(good);
  });
});

test("two runs and a build at once end well, with one computation and the same site", async () => {
  const slow = (text: string) => text.replace("pause: 0", "pause: 100");
  await project.with("loaders/experiments/counts.ts", slow, async () => {
    const all = await Promise.all(
      [
        ["run", "counts"],
        ["run", "counts"],
        ["build", "--run"],
      ].map((it) => project.run(...it)),
    );
    expect(all.map(({ code, stderr }) => (code === 0 ? 0 : stderr))).toEqual([0, 0, 0]);
    // The others wait for it, or come so late that it is there.
    const computed = all.filter(({ stderr }) => /^counts +━/m.test(stderr));
    expect(computed).toHaveLength(1);
  });
  expect((await project.run("build")).code).toBe(0);
  expect(project.site().get("index.html")).toEqual(good.get("index.html"));
});

const spoils: (readonly [how: string, spoil: (bytes: Buffer) => Buffer, sentence: RegExp])[] = [
  ["cut off", (bytes: Buffer) => bytes.subarray(0, -40), /is not an Arrow IPC stream with its end marker/],
  [
    "in the file format",
    (bytes: Buffer) => Buffer.concat([Buffer.from("ARROW1\0\0"), bytes]),
    /is in Arrow's file format/,
  ],
];
test.each(full ? spoils : spoils.slice(0, 1))(
  "a committed table that is %s, and has a passport that vouches for it, is not published",
  async (_, spoil, sentence) => {
    expect((await project.run("run", "counts", "--save")).code).toBe(0);
    const before = project.site();
    const table = "data/results/counts/squares.arrow";
    const passport = "data/results/counts/passport.json";
    const sum = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    let sums: [string, string] = ["", ""];
    const change = (bytes: Buffer) => {
      const spoilt = spoil(bytes);
      sums = [sum(bytes), sum(spoilt)];
      return spoilt;
    };
    await project.withBytes(table, change, () =>
      project.with(
        passport,
        (text) => text.replace(sums[0], sums[1]),
        async () => {
          const { code, stderr } = await project.run("build");
          expect(stderr).toMatch(sentence);
          expect(stderr).toContain("table squares of counts");
          expect(code).toBe(1);
        },
      ),
    );
    expect(project.site()).toEqual(before);
  },
);
