/** Whether numbers can be had again, and which have moved. */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../project.js";

const project = new Project();
beforeAll(async () => {
  expect(await project.run("run", "--save")).toMatchObject({ code: 0 });
}, 120_000);
afterAll(() => project.remove());

const root = "loaders/experiments/counts.ts";

describe("a result is verified", () => {
  test("where it can be had again, byte for byte, and nothing stored is touched", async () => {
    const before = project.read("data/results/weights/passport.json");
    const { code, stdout } = await project.run("verify");
    expect(stdout).toBe("counts: the same byte for byte, on the processor\nweights: the same byte for byte, on cpu\n");
    expect(code).toBe(0);
    expect(project.read("data/results/weights/passport.json")).toBe(before);
    expect(spawnSync("ls", [project.path(".observatory/verify")]).stdout.toString()).toBe("");
  });

  test("on another device, within the tolerance of every column", async () => {
    const { code, stdout } = await project.run("verify", "weights", "--device", "wasm");
    expect(stdout).toMatch(
      /^weights: the same (byte for byte|within the tolerance of every column), on wasm \(stored: cpu\)\n$/,
    );
    expect(code).toBe(0);
  });

  test("and found to differ where it does, with which numbers and by how much", async () => {
    const random = (text: string) => text.replace("square: square(i)", "square: square(i) + 1 + Math.random()");
    await project.with(root, random, async () => {
      expect(await project.run("run", "counts")).toMatchObject({ code: 0 });
      const { code, stdout } = await project.run("verify", "counts");
      expect(stdout).toMatch(
        /^counts: differs on the processor\n {2}squares\.square: \d+ of 20 values, most of all at number \d+, name [ab]: [\d.]+ → [\d.]+, by 0\.\d+\n$/,
      );
      expect(code).toBe(1);
    });
  });

  test("not at all where it is stale, which is said", async () => {
    await project.with(
      "loaders/helpers/square.ts",
      (text) => text.replace("return n * n;", "return n ** 2;"),
      async () => {
        const { code, stdout } = await project.run("verify", "counts");
        expect(stdout).toMatch(
          /^counts: not verified: its result is stale, because the code changed \(.*square\.ts\)\n$/,
        );
        expect(code).toBe(1);
      },
    );
  });
});

describe("numbers that moved", () => {
  beforeAll(() => {
    const script = `git init -q && git add data/results && git -c user.name=x -c user.email=x@example.org commit -q -m one`;
    expect(spawnSync("bash", ["-c", script], { cwd: project.root }).status).toBe(0);
  });

  test("are none where nothing changed", async () => {
    const { code, stdout } = await project.run("diff", "HEAD");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "counts: no number moved\nweights: no number moved\n" });
  });

  test("are told with how far, and which change explains them", async () => {
    await project.with(
      "loaders/helpers/square.ts",
      (text) => text.replace("return n * n;", "return n ** 2 + 1;"),
      async () => {
        await project.run("run", "counts", "--save");
      },
    );
    const { stdout } = await project.run("diff", "HEAD", "counts");
    expect(stdout).toMatch(
      /^counts: moved; the code changed \(loaders\/helpers\/square\.ts\)\n {2}squares\.square: 20 of 20 values, most of all at .*: \d+ → \d+, by 1\n$/,
    );
  });

  test("may be none although inputs changed", async () => {
    await project.with(
      "loaders/helpers/square.ts",
      (text) => text.replace("return n * n;", "return n ** 2;"),
      async () => {
        await project.run("run", "counts", "--save");
      },
    );
    expect((await project.run("diff", "HEAD", "counts")).stdout).toBe(
      "counts: no number moved, although the code changed (loaders/helpers/square.ts)\n",
    );
  });

  test("cannot be told of a revision that is not there", async () => {
    const { code, stderr } = await project.run("diff", "nowhere");
    expect(stderr).toBe("There is no revision nowhere: give a commit, a branch or a tag of this checkout.\n");
    expect(code).toBe(2);
  });
});
