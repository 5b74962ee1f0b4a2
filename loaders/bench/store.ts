/** `observatory bench store`: what the store and the scheduler cost, and what they save, on this project. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quantile } from "../../engine/interval.js";
import { dataFolder, projectPath, root } from "../project.js";
import { forkModule } from "../runner/fork.js";
import { type Job, jobOf } from "../runner/job.js";
import { checkout, machine, packageVersion } from "../runner/provenance.js";
import { runJobs } from "../runner/run.js";
import { writeFlushed } from "../store/system.js";
import { say } from "../terminal.js";
import { withTenPages } from "./ten-pages.js";

const rounds = 5;
/** The length of run that the overhead is told for, in seconds. */
const run = 60;

interface Finding {
  readonly name: string;
  readonly unit: "s" | "ratio";
  readonly value: number;
  readonly limit: number;
  /** Whether more is better. */
  readonly atLeast?: true;
  readonly within: boolean;
}

/** @returns whether everything kept within its limit */
export async function benchStore(file = join(dataFolder, "benchmarks/store.json")): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "observatory-bench-"));
  try {
    const jobs = await Promise.all([1, 2].map(oneCore));
    say("the status of the whole project");
    const status = await repeated(rounds, () => command("status"));
    say("a warm build");
    await command("build", "--allow-stale");
    const build = await repeated(3, () => command("build", "--allow-stale"));
    say("a warm build of ten pages");
    const tenPages = await withTenPages(async (copy) => {
      const buildCopy = () => commandOf(copy, "build", "--allow-stale");
      await buildCopy();
      return repeated(3, buildCopy);
    });
    say(`one job of ${jobs[0].experiment}, with store and scheduler and without, in turns`);
    const [stored, bare] = [[], []] as number[][];
    for (let i = 0; i < rounds; ++i) {
      bare.push(await timed(() => computeBare(jobs[0])));
      stored.push(await timed(() => computeStored([jobs[0]], folder)));
    }
    say("two jobs of one core each, one after the other and side by side");
    const [single, double] = [[], []] as number[][];
    for (let i = 0; i < rounds; ++i) {
      single.push(await timed(() => computeStored(jobs, folder, 1)));
      double.push(await timed(() => computeStored(jobs, folder, 2)));
    }
    const findings = [
      finding("status of the whole project", "s", median(status), 1),
      finding("warm build of the whole site", "s", median(build), 40),
      finding("warm build of ten pages", "s", median(tenPages), 15),
      finding(`store and scheduler, share of a run of ${run} s`, "ratio", (median(stored) - median(bare)) / run, 0.03),
      finding("two jobs side by side, times faster", "ratio", median(single) / median(double), 1.6, true),
    ];
    const benchmark = {
      date: new Date().toISOString(),
      machine: machine(),
      versions: { node: process.versions.node, "attention-observatory": await packageVersion() },
      ...(await checkout()),
      seconds: { status, build, tenPages, stored, bare, single, double },
      findings,
    };
    await writeFlushed(file, `${JSON.stringify(benchmark, null, 2)}\n`);
    for (const line of findings.map(report)) console.log(line);
    say(`Written to ${projectPath(file)}.`);
    return findings.every(({ within }) => within);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const median = (values: readonly number[]) => quantile(values, 0.5);

function finding(name: string, unit: Finding["unit"], value: number, limit: number, atLeast?: true): Finding {
  return { name, unit, value, limit, ...(atLeast && { atLeast }), within: atLeast ? value >= limit : value <= limit };
}

function report({ name, unit, value, limit, atLeast, within }: Finding): string {
  const show = (number: number) => (unit === "s" ? `${number.toFixed(2)} s` : number.toFixed(3));
  return `${within ? "within" : "BEYOND"}  ${name}: ${show(value)}, at ${atLeast ? "least" : "most"} ${show(limit)}`;
}

/** Seconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

async function repeated(times: number, work: () => Promise<unknown>): Promise<number[]> {
  const seconds: number[] = [];
  for (let i = 0; i < times; ++i) seconds.push(await timed(work));
  return seconds;
}

const command = (...args: readonly string[]) => commandOf(root, ...args);

/** One of a project's commands, from the start of its process to its end. */
async function commandOf(project: string, ...args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(project, "loaders/observatory.mjs"), ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`observatory ${args.join(" ")} ended with code ${code}`);
}

async function oneCore(seed: number): Promise<Job> {
  const job = await jobOf("sinks", { set: { documents: "4", seed: String(seed) } });
  return { ...job, resources: { ...job.resources, cores: 1 } };
}

async function computeBare(job: Job): Promise<void> {
  const child = forkModule("loaders/bench/bare.ts", "inherit");
  child.send(job);
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`computing ${job.experiment} ended with code ${code}`);
}

async function computeStored(jobs: readonly Job[], folder: string, parallel?: number): Promise<void> {
  const signal = new AbortController().signal;
  const outcomes = await runJobs(jobs, { folder, parallel, again: true, signal, onEvent: () => {} });
  for (const outcome of outcomes.values()) if ("failure" in outcome) throw new Error(outcome.failure.message);
}
