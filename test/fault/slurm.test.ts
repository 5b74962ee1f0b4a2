/** The same jobs through Slurm: on a cluster of one machine, where it can be started. */
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project, processesOf } from "../project.js";
import { SlurmCluster, whyNoCluster } from "./slurm-cluster.js";

const reason = whyNoCluster();
if (reason) console.warn(`Slurm is not tested here: ${reason}.`);

describe.skipIf(reason !== undefined)("through Slurm", () => {
  const project = new Project();
  const cluster = new SlurmCluster();
  beforeAll(() => cluster.start());
  afterAll(async () => {
    await cluster.stop();
    project.remove();
  });

  const slurm = ["--runner", "slurm"] as const;
  const left = () => readdirSync(project.path(".observatory/slurm"));

  test("a run has the results that it has without, and leaves nothing behind", async () => {
    const { code, stdout, stderr } = await project.run("run", ...slurm, "--out", "copies");
    expect(stderr).toMatch(/^counts +done in \d/m);
    expect(stdout).toMatch(/enough +replicated +20 \[20, 20\] +n = 20\n {2}copies\/counts\n/);
    expect(stdout).toContain("weights: Weights on observatory-8m");
    expect(code).toBe(0);
    expect(left()).toEqual([]);
    const local = await project.run("run", "--out", "copies");
    expect(local.stderr).toMatch(/^counts is fresh/);
    expect(local.stdout).toBe(stdout);
  });

  test("a job that fails tells why, and does not stop the others", async () => {
    const change = (text: string) => text.replace('fail: "", seed: 1', 'fail: "exit", seed: 1');
    const { code, stdout, stderr } = await project.with("loaders/experiments/counts.ts", change, () =>
      project.run("run", ...slurm, "--fresh"),
    );
    expect(stderr).toMatch(
      /^ {2}a last word\ncounts failed: the process of counts ended by code 3 before it had a result$/m,
    );
    expect(stdout).toContain("weights: Weights on observatory-8m");
    expect(code).toBe(1);
  });

  const needing = (gpus: number) => (text: string) =>
    text.replace("inputs: {", `resources: { gpus: ${gpus} },\n  inputs: {`);

  test("a job that needs more than there is tells so, and does not stop the others", async () => {
    const { code, stdout, stderr } = await project.with("loaders/experiments/counts.ts", needing(9), () =>
      project.run("run", ...slurm, "--fresh"),
    );
    expect(stderr).toMatch(/^counts failed: Slurm's sbatch refuses: .*not available/m);
    expect(stdout).toContain("weights: Weights on observatory-8m");
    expect(code).toBe(2);
  });

  test("a GPU is asked for, and the run goes on where the controller is away for a while", {
    tags: ["wide"],
  }, async () => {
    await project.with("loaders/experiments/counts.ts", needing(1), async () => {
      const run = project.start("run", "counts", "--set", "pause=1000", ...slurm);
      await run.until(/counts +━/);
      expect(cluster.run("squeue", "--noheader", "--format=%b").trim()).toMatch(/gpu:1$/);
      await cluster.restartController(10_000);
      const { code, stdout, stderr } = await run.finished;
      expect(stderr).not.toContain("was lost");
      expect(stdout).toMatch(/replicated +20 \[20, 20\]/);
      expect(code).toBe(0);
    });
  });

  test("a run goes on where its node is lost, and ends with the result", { tags: ["wide"] }, async () => {
    const run = project.start("run", "counts", "--set", "pause=400", ...slurm);
    await run.until(/counts +━/);
    await cluster.loseNode();
    const { code, stdout } = await run.finished;
    expect(stdout).toMatch(/replicated +20 \[20, 20\]/);
    expect(code).toBe(0);
  });

  test("a run that is interrupted takes its jobs back", async () => {
    const run = project.start("run", "counts", "--set", "pause=500", ...slurm);
    await run.until(/counts +━/);
    run.kill("SIGTERM");
    expect((await run.finished).code).toBe(130);
    await expect.poll(() => processesOf(project), { timeout: 20_000 }).toEqual([]);
    await expect.poll(() => cluster.run("squeue", "--noheader").trim(), { timeout: 20_000 }).toBe("");
    expect(left()).toEqual([]);
  });
});

test("Slurm where there is none is refused in one sentence", async () => {
  const project = new Project();
  const path = process.env.PATH;
  process.env.PATH = "/nowhere";
  try {
    const { code, stderr } = await project.run("run", "counts", "--runner", "slurm");
    expect(stderr.trim().split("\n").at(-1)).toMatch(/^--runner slurm needs Slurm's sbatch, which is not here/);
    expect(code).toBe(2);
  } finally {
    process.env.PATH = path;
    project.remove();
  }
});
