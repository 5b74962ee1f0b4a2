/** Whether numbers can be had again, and which have moved. */
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agreementRecords } from "../../loaders/analysis/agreement.js";
import { full } from "../full.js";
import { Project } from "../project.js";

const project = new Project();
beforeAll(async () => {
  expect(await project.run("run", "--save")).toMatchObject({ code: 0 });
}, 120_000);
afterAll(() => project.remove());

const root = "loaders/experiments/counts.ts";

function recorded(file: string) {
  const lines = project.read(file).trim().split("\n");
  return agreementRecords(
    lines.map((line) => JSON.parse(line)),
    file,
  );
}

describe("a result is verified", () => {
  test("where it can be had again, byte for byte, and nothing stored is touched", async () => {
    const before = project.read("data/results/weights/passport.json");
    const { code, stdout } = await project.run("verify");
    expect(stdout).toBe("counts: the same byte for byte, on the processor\nweights: the same byte for byte, on cpu\n");
    expect(code).toBe(0);
    expect(project.read("data/results/weights/passport.json")).toBe(before);
    expect(spawnSync("ls", [project.path(".observatory/verify")]).stdout.toString()).toBe("");
  });

  test("on another device, within the tolerance of every column", { tags: ["wide"] }, async () => {
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
      const { code, stdout } = await project.run("verify", "counts", "--record", "differs.jsonl");
      expect(stdout).toMatch(
        /^counts: differs on the processor\n {2}squares\.square: \d+ of 20 values, most of all at number \d+, name [ab]: [\d.]+ → [\d.]+, by 0\.\d+\n$/,
      );
      expect(code).toBe(1);
      const [square] = recorded("differs.jsonl").filter((of) => of.record === "column" && !of.within);
      expect(square).toMatchObject({
        column: "square",
        rows: 20,
        unpaired: 0,
        where: expect.stringMatching(/^number /),
      });
    });
  });

  test("not at all where it is stale, which is said", async () => {
    await project.with(
      "loaders/helpers/square.ts",
      (text) => text.replace("return n * n;", "return n ** 2;"),
      async () => {
        const { code, stdout, stderr } = await project.run("verify", "counts", "--record", "stale.jsonl");
        expect(stderr).toBe("stale.jsonl was not written, because counts could not be compared.\n");
        expect(existsSync(project.path("stale.jsonl"))).toBe(false);
        expect(stdout).toMatch(
          /^counts: not verified: its result is stale, because the code changed \(.*square\.ts\)\n$/,
        );
        expect(code).toBe(1);
      },
    );
  });
});

describe("a result is compared with one that was computed elsewhere", () => {
  beforeAll(async () => {
    const made = await project.run("run", "weights", "--device", "wasm", "--out", "elsewhere");
    expect(made).toMatchObject({ code: 0 });
    expect(await project.run("run", "counts", "--out", "elsewhere")).toMatchObject({ code: 0 });
    expect(await project.run("run", "counts", "--set", "rows=10", "--out", "others")).toMatchObject({ code: 0 });
  });

  test("and the comparison recorded: the runs, every column and every claim", async () => {
    const { code, stdout, stderr } = await project.run("verify", "--with", "elsewhere", "--record", "new/record.jsonl");
    expect(stderr).toBe("The comparison is in new/record.jsonl.\n");
    expect(stdout).toMatch(
      /^counts: the same byte for byte, on the processor\nweights: the same .*, on wasm \(stored: cpu\)\n$/,
    );
    expect(code).toBe(0);
    const records = recorded("new/record.jsonl");
    expect(records.filter(({ record }) => record === "run")).toMatchObject([
      { experiment: "counts", stored: { error: null }, again: { error: null } },
      { experiment: "weights", stored: { device: { name: "cpu" } }, again: { device: { name: "wasm" } } },
    ]);
    expect(records).toContainEqual(
      expect.objectContaining({
        table: "squares",
        column: "square",
        rows: 20,
        absolute: 0,
        maximum: 361,
        within: true,
      }),
    );
    const [norm] = records.filter((of) => of.record === "column" && of.column === "norm");
    expect(norm).toMatchObject({ rule: "scaled", tolerance: 1e-4, rows: 4, unpaired: 0, within: true });
    const verdict = { outcome: "replicated", estimate: 20, low: 20, high: 20, n: 20 };
    expect(records.filter(({ record }) => record === "claim")).toMatchObject([
      { experiment: "counts", claim: "enough", stored: verdict, again: verdict },
    ]);
  });

  test("although it is of other code, where that is asked for, and the record names the files", {
    tags: ["wide"],
  }, async () => {
    await project.with(
      "loaders/helpers/square.ts",
      (text) => text.replace("return n * n;", "return n ** 2;"),
      async () => {
        await project.run("run", "counts", "--save");
        const refused = await project.run("verify", "counts", "--with", "elsewhere");
        expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/the code changed \(.*square\.ts\)/) });
        const given = ["counts", "--with", "elsewhere", "--other-code", "--record", "older.jsonl"];
        const { code, stdout } = await project.run("verify", ...given);
        expect(stdout).toMatch(
          /^counts: the same .*, on the processor, computed by other code \(loaders\/helpers\/square\.ts\)\n$/,
        );
        expect(code).toBe(0);
        expect(recorded("older.jsonl")[0]).toMatchObject({ record: "run", changes: ["loaders/helpers/square.ts"] });
      },
    );
    await project.run("run", "counts", "--save");
    const parameters = await project.run("verify", "counts", "--with", "others", "--other-code");
    expect(parameters).toMatchObject({ code: 2, stderr: expect.stringMatching(/parameter rows changed/) });
  });

  type Refusal = [what: string, flags: string[], sentence: RegExp, damage?: () => void];
  const tamper = () => appendFileSync(project.path("elsewhere/weights/norms.arrow"), "x");
  const refusals: readonly Refusal[] = [
    ["it is missing", ["weights", "--with", "others"], /^others holds no result of weights: `observatory run .*\.\n$/],
    [
      "it is corrupt",
      ["--with", "elsewhere"],
      /^The result of weights cannot be compared: .*norms\.arrow is not .*\.\n$/,
      tamper,
    ],
    [
      "it is of something else",
      ["--with", "others"],
      /^The result of counts in others.* parameter rows changed from 10 to 20\.\n$/,
    ],
  ];
  const more: readonly Refusal[] = [
    ["there is none at all", ["--with", "nowhere"], /^nowhere holds no results: --with takes the folder that .*\.\n$/],
    ["a device is named", ["--with", "others", "--device", "wasm"], /^--with takes .* without --device\.\n$/],
    [
      "its record has no place",
      ["--with", "others", "--record", "data"],
      /^Nothing can be written to .*data \(EISDIR\): .*\n$/,
    ],
  ];
  test.each(full ? [...refusals, ...more] : refusals)("but not where %s", async (_, flags, sentence, damage) => {
    damage?.();
    const { code, stdout, stderr } = await project.run("verify", ...flags);
    expect(stderr).toMatch(sentence);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
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

  test("may be none although inputs changed", { tags: ["wide"] }, async () => {
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

  test("may be gone with their experiment, which is told", async () => {
    const gone = "mv loaders/experiments/weights.ts data/results/weights .";
    const back = "mv weights.ts loaders/experiments/; mv weights data/results/";
    expect(spawnSync("bash", ["-c", gone], { cwd: project.root }).status).toBe(0);
    const { code, stdout } = await project.run("diff", "HEAD");
    expect(spawnSync("bash", ["-c", back], { cwd: project.root }).status).toBe(0);
    expect(stdout).toMatch(/^weights: gone since HEAD$/m);
    expect(code).toBe(0);
  });

  test("cannot be told of a revision that is not there", async () => {
    const { code, stderr } = await project.run("diff", "nowhere");
    expect(stderr).toBe("There is no revision nowhere: give a commit, a branch or a tag of this checkout.\n");
    expect(code).toBe(2);
  });
});
