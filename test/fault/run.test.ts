/** Whatever happens to a run, no result is lost that was finished, none is half-written, and no process is left. */
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { full } from "../full.js";
import { Project, processesOf } from "../project.js";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project.remove());

/** 20 rows, 50 ms each. */
const slowly = ["--set", "pause=50"] as const;
const stored = () =>
  existsSync(project.path(".observatory/store")) ? readdirSync(project.path(".observatory/store")) : [];

async function expectNoProcesses(): Promise<void> {
  await expect.poll(() => processesOf(project), { timeout: 10_000 }).toEqual([]);
}

function signalAll(signal: NodeJS.Signals): void {
  for (const { pid } of processesOf(project)) process.kill(pid, signal);
}

/** "T" where it is stopped. Linux only. */
function stateOf(pid: number): string | undefined {
  return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
}

/** Reads what a terminal shows, until it matches. */
async function until(screen: Readable, pattern: RegExp): Promise<void> {
  let shown = "";
  for await (const chunk of screen.setEncoding("utf8")) {
    shown += chunk;
    if (pattern.test(shown)) return;
  }
  throw new Error(`it never showed ${pattern}: ${shown}`);
}

async function expectWholeResult(): Promise<void> {
  const { code, stdout } = await project.run("run", "counts", ...slowly);
  expect(code).toBe(0);
  expect(stdout).toMatch(/enough +replicated +20 \[20, 20\] +n = 20/);
  expect(stored()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
}

/** Milliseconds into the work of one second: a few, or in the full suite many at random. */
const moments = full ? Array.from({ length: 20 }, () => Math.floor(1500 * Math.random())) : [0, 500];

describe("a run that is killed", () => {
  test.each(moments)("by SIGKILL %d ms into its work leaves nothing half-written and no process", async (wait) => {
    const run = project.start("run", "counts", ...slowly);
    await run.until(/counts +(starting|━)/);
    await sleep(wait);
    run.kill("SIGKILL");
    await expectNoProcesses();
    for (const name of stored()) expect(name).toMatch(/^[0-9a-f]{64}(\.tmp)?$/);
    await expectWholeResult();
  });

  test("while its experiment never yields leaves no process", { tags: ["wide"] }, async () => {
    const spin = (text: string) => text.replace('fail: "", seed: 1', 'fail: "spin", seed: 1');
    await project.with("loaders/experiments/counts.ts", spin, async () => {
      const run = project.start("run", "counts");
      await run.until(/counts +━/);
      run.kill("SIGKILL");
      await expectNoProcesses();
    });
  });

  test("in its worker says so, fails, and is not in the way of the next", { tags: ["wide"] }, async () => {
    const run = project.start("run", "counts", ...slowly);
    await run.until(/counts +━/);
    const worker = processesOf(project).find(({ command }) => command.includes("worker.ts"));
    if (!worker) throw new Error("there is no worker");
    process.kill(worker.pid, "SIGKILL");
    const { code, stderr } = await run.finished;
    expect(code).toBe(1);
    expect(stderr).toContain("counts failed: the process of counts ended by SIGKILL before it had a result");
    await expectWholeResult();
  });
});

describe("a run that is interrupted", () => {
  const signals = ["SIGINT", "SIGHUP", "SIGTERM"] as const; // the last one also stops what hangs, below
  test.each(full ? signals : signals.slice(0, 2))(
    "by %s ends with 130, leaves no process, and keeps what was finished",
    async (signal) => {
      expect((await project.run("run", "weights")).code).toBe(0);
      const run = project.start("run", ...slowly, "counts");
      await run.until(/counts +━/);
      if (signal === "SIGINT")
        run.killGroup(signal); // a terminal tells the whole group
      else run.kill(signal);
      const { code, stderr } = await run.finished;
      expect(code).toBe(130);
      expect(stderr.trim().split("\n").at(-1)).toBe("Interrupted; what was finished is kept.");
      await expectNoProcesses();
      expect(stored()).toHaveLength(1);
    },
  );
});

test.runIf(process.platform === "linux")(
  "a run whose terminal is closed ends in order, and keeps nothing",
  { tags: ["wide"] },
  async () => {
    // The terminal tells its shell, and the shell what runs in it, as the system does when the shell has ended.
    const run = `${process.execPath} loaders/observatory.mjs run counts --set pause=200`;
    const shell = `trap 'kill -HUP $!; sleep 0.01; kill -HUP $!' HUP; ${run} & wait $!; wait $!; echo $? > ended`;
    const terminal = spawn("script", ["-qec", shell, "/dev/null"], {
      cwd: project.root,
      stdio: ["ignore", "pipe", "ignore"],
    });
    await until(terminal.stdout, /counts +\S*━\S* +\d+ %/);
    terminal.kill("SIGKILL");
    await expect
      .poll(() => existsSync(project.path("ended")) && project.read("ended"), { timeout: 10_000 })
      .toBe("129\n");
    await expectNoProcesses();
    expect(stored()).toEqual([]);
    expect(readdirSync(project.path(".observatory/locks")).filter((name) => name.startsWith("in-use"))).toEqual([]);
  },
);

test("two runs at once compute once, and both have the result", async () => {
  const runs = await Promise.all([1, 2].map(() => project.run("run", "counts", ...slowly)));
  expect(runs.map(({ code }) => code)).toEqual([0, 0]);
  expect(runs.filter(({ stderr }) => /^counts +━/m.test(stderr))).toHaveLength(1);
  expect(runs[0].stdout).toBe(runs[1].stdout);
  expect(stored()).toHaveLength(1);
});

test("when the process that computes dies, the one that waits takes over", async () => {
  const hanging = ["run", "counts", "--set", "fail=hang"]; // so that it is at work however late the second comes
  const first = project.start(...hanging);
  await first.until(/counts +━/);
  const second = project.start(...hanging);
  await second.until(/another process computes it/);
  first.kill("SIGKILL");
  await second.until(/counts +━/);
  second.kill("SIGTERM");
  expect((await second.finished).code).toBe(130);
  await expectWholeResult();
});

describe("a job that fails", () => {
  const failures: (readonly [what: string, fail: string, sentence: RegExp])[] = [
    [
      "yields what its table does not allow",
      "nan",
      /^counts failed: experiment counts, table squares, column number, row 3: the value is NaN: NaN$/m,
    ],
    [
      "exits",
      "exit",
      /^ {2}a last word\ncounts failed: the process of counts ended by code 3 before it had a result$/m,
    ],
    ["throws", "throw", /^counts failed: three is too many$/m], // as does one that is remembered, below
  ];
  test.each(full ? failures : failures.slice(0, 2))(
    "because it %s does not stop the others",
    async (_, fail, sentence) => {
      const change = (text: string) => text.replace('fail: "", seed: 1', `fail: "${fail}", seed: 1`);
      const { code, stdout, stderr } = await project.with("loaders/experiments/counts.ts", change, () =>
        project.run("run"),
      );
      expect(code).toBe(1);
      expect(stderr).toMatch(sentence);
      expect(stderr).not.toContain("    at ");
      expect(stdout).toContain("weights: Weights on observatory-8m");
      expect(stored()).toHaveLength(1);
    },
  );

  test("is remembered as failed until it succeeds", async () => {
    const state = async () => {
      const rows: { experiment: string }[] = JSON.parse((await project.run("status", "--json")).stdout);
      return rows.find(({ experiment }) => experiment === "counts");
    };
    const change = (text: string) => text.replace('fail: "", seed: 1', 'fail: "throw", seed: 1');
    await project.with("loaders/experiments/counts.ts", change, async () => {
      await project.run("run", "counts");
      expect(await state()).toMatchObject({ state: "failed", reason: "three is too many", passport: null });
    });
    expect(await state()).toMatchObject({ state: "missing", reason: null });
  });

  test("because it needs more memory than the machine has is not begun", async () => {
    const change = (text: string) => text.replace("inputs: {", "resources: { memory: 1e6 },\n  inputs: {");
    const { code, stderr } = await project.with("loaders/experiments/counts.ts", change, () =>
      project.run("run", "counts"),
    );
    expect(stderr).toMatch(
      /^counts failed: counts declares that it needs 1000000 GiB of memory, and this machine has/m,
    );
    expect(code).toBe(2);
  });
});

describe("a job that", () => {
  const failing = (how: string) => (text: string) => text.replace('fail: "", seed: 1', `fail: "${how}", seed: 1`);

  test.each(full ? ["hang", "spin"] : ["spin"])("%ss for ever can be stopped, and is seen to run", async (how) => {
    await project.with("loaders/experiments/counts.ts", failing(how), async () => {
      const run = project.start("run", "counts");
      await run.until(/counts +━*·* +\d+ %/);
      const rows: object[] = JSON.parse((await project.run("status", "--json")).stdout);
      expect(rows).toContainEqual(expect.objectContaining({ experiment: "counts", state: "running" }));
      run.kill("SIGTERM");
      expect((await run.finished).code).toBe(130);
      await expectNoProcesses();
      expect(stored()).toEqual([]);
    });
  });

  test("prints garbage has a result without it", async () => {
    await project.with("loaders/experiments/counts.ts", failing("garbage"), async () => {
      const { code, stdout } = await project.run("run", "counts", "--out", "copies");
      expect(stdout).toMatch(/^counts: Counting\n {2}enough +replicated +20 \[20, 20\] +n = 20\n/);
      expect(stdout).not.toContain("ARROW1");
      expect(code).toBe(0);
    });
  });
});

describe("a job that starts a process of its own", { tags: ["wide"] }, () => {
  const parental = ["run", "counts", "--set", "fail=child"] as const;

  test("is done when it has its result, and the process ends", async () => {
    expect(await project.run(...parental)).toMatchObject({ code: 0 });
    await expectNoProcesses();
  });

  test.each(full ? (["SIGTERM", "SIGINT", "SIGKILL"] as const) : (["SIGTERM", "SIGKILL"] as const))(
    "ends with it when the run is told %s",
    async (signal) => {
      const run = project.start(...parental, ...slowly);
      await run.until(/counts +━/);
      run.kill(signal);
      expect((await run.finished).code).toBe(signal === "SIGKILL" ? null : 130);
      await expectNoProcesses();
    },
  );

  test("rests while the run does, as by Ctrl-Z, and goes on with it", async () => {
    const run = project.start("run", "counts", ...slowly);
    await run.until(/counts +━/);
    const states = () => processesOf(project).map(({ pid }) => stateOf(pid));
    run.kill("SIGTSTP");
    await expect.poll(states, { timeout: 10_000 }).toEqual(["T", "T"]);
    run.kill("SIGCONT");
    expect((await run.finished).code).toBe(0);
  });
});

describe("with another clock", () => {
  /** In this process's children, and theirs. */
  async function under<T>(years: number, work: () => Promise<T>): Promise<T> {
    const shift = years * 365 * 24 * 3600 * 1000;
    const clock = `const now = Date.now; Date.now = () => now() + ${shift}; globalThis.Date = class extends Date { constructor(...a) { super(...(a.length ? a : [Date.now()])); } };`;
    process.env.NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(clock)}`;
    try {
      return await work();
    } finally {
      delete process.env.NODE_OPTIONS;
    }
  }

  test("results stay fresh, and keep their bytes", async () => {
    await under(-30, () => project.run("run", "counts", "--out", "copies"));
    const before = readFileSync(project.path("copies/counts/squares.arrow"));
    expect(JSON.parse(project.read("copies/counts/passport.json")).date).toMatch(/^(19|200)/);
    const { stderr } = await under(30, () => project.run("run", "counts"));
    expect(stderr).toMatch(/^counts is fresh/);
    await under(30, () => project.run("run", "counts", "--fresh", "--out", "copies"));
    expect(readFileSync(project.path("copies/counts/squares.arrow"))).toEqual(before);
  });

  test("a run that is at work is waited for, not taken for dead", async () => {
    const slower = ["--set", "pause=100"];
    const first = project.start("run", "counts", ...slower);
    await first.until(/counts +━/);
    signalAll("SIGSTOP"); // however long the second takes to begin
    const second = await under(30, async () => project.start("run", "counts", ...slower));
    await second.until(/counts +waiting: another process computes it/);
    signalAll("SIGCONT");
    expect(await second.finished).toMatchObject({ code: 0 });
    expect(await first.finished).toMatchObject({ code: 0 });
    expect(stored()).toHaveLength(1);
  });
});

test("a corrupt result is set aside, which is said, and computed again to the same bytes", async () => {
  await project.run("run", "counts");
  const [key] = stored();
  const table = project.path(`.observatory/store/${key}/squares.arrow`);
  const good = readFileSync(table);
  appendFileSync(table, "garbage");
  const { code, stderr } = await project.run("run", "counts");
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /^A stored result was corrupt and counts as missing: .*squares\.arrow is not what its passport says it is; it now lies in /m,
  );
  expect(stderr).toMatch(/^counts has to be computed: there is no result yet$/m);
  expect(readFileSync(table)).toEqual(good);
});

test("a corrupt committed result is not used, and left as it is", async () => {
  expect((await project.run("run", "counts", "--save")).code).toBe(0);
  appendFileSync(project.path("data/results/counts/squares.arrow"), "garbage");
  const { code, stderr } = await project.run("run", "counts");
  expect(code).toBe(0);
  expect(stderr).toMatch(/^A committed result is corrupt and is not used: .*squares\.arrow/m);
  expect(stderr).toMatch(/^counts is fresh: \.observatory/m);
  expect(readFileSync(project.path("data/results/counts/squares.arrow")).toString("latin1")).toMatch(/garbage$/);
});

test.runIf(process.getuid?.() === 0 && process.platform === "linux")(
  "a full disk is said in one sentence, and leaves nothing behind",
  async () => {
    await project.run("status"); // what planning remembers is there
    const folder = project.path(".observatory/store");
    spawnSync("mkdir", ["-p", folder]);
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]).status).toBe(0);
    try {
      const { code, stderr } = await project.run("run", "counts", "--set", "rows=50000");
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^counts failed: the disk of .* is full, so the result was not written and nothing is left of it/m,
      );
      expect(stored()).toEqual([]);
      expect((await project.run("run", "counts")).code).toBe(0);
    } finally {
      spawnSync("umount", [folder]);
    }
  },
);

test.runIf(process.getuid?.() === 0 && process.platform === "linux")(
  "a disk that takes nothing at all stops a run in one sentence, and no status",
  async () => {
    const folder = project.path(".observatory");
    spawnSync("mkdir", ["-p", folder]);
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", folder]).status).toBe(0);
    try {
      spawnSync("dd", ["if=/dev/zero", `of=${folder}/all`, "bs=1k"]);
      const rows: { state: string }[] = JSON.parse((await project.run("status", "--json")).stdout);
      expect(rows.map(({ state }) => state)).toEqual(["missing", "missing"]);
      const { code, stderr } = await project.run("run", "counts");
      expect(stderr.trim().split("\n").at(-1)).toBe("The disk is full: free some space and try again.");
      expect(code).toBe(1);
      expect(readdirSync(folder, { recursive: true }).filter((name) => /lock|tmp/.test(String(name)))).toEqual([
        "locks",
      ]);
    } finally {
      spawnSync("umount", [folder]);
    }
  },
);

test("a Node that is too old gets one sentence", () => {
  const older =
    "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.19.1'}})";
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", older, project.path("loaders/observatory.mjs"), "status"],
    { encoding: "utf8" },
  );
  expect(stderr).toMatch(/^observatory: needs Node 20\.17 or newer and runs on 18\.19\.1: install a newer Node\.\n$/);
  expect(status).toBe(2);
});
