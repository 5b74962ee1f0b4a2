/**
 * Runs jobs through Slurm: as arrays, one task each, on nodes that share this project's file system. Slurm schedules,
 * kills and requeues; here jobs are handed over, watched, and given out again where their node was lost.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { root } from "../project.js";
import type { Failure } from "../store/failures.js";
import { openResult } from "../store/result.js";
import { absent, errorCode } from "../store/system.js";
import { starter } from "./fork.js";
import type { Job } from "./job.js";
import type { Outcome, RunEvent, RunOptions } from "./run.js";

/** What a task reads to know its job. */
export interface SlurmOrder extends Pick<RunOptions, "folder" | "again"> {
  readonly jobs: readonly Job[];
}

/** What a task writes about its job, whole each time. */
export interface TaskState {
  readonly event: RunEvent;
  /** How it ended. */
  readonly outcome?: { readonly folder: string } | { readonly failure: Failure };
}

export const orderFile = "order.json";
export const stateFile = (task: number) => `${task}.json`;
const logFile = (task: number | "%a") => `${task}.log`;

const poll = 1000; // ms
/** How often a task whose node was lost is handed over again. */
const attempts = 3;
/** How many looks a task may be missing from the queue before it counts as gone: files and queue are not in step. */
const patience = 5;
const linesKept = 20;

interface Task {
  readonly job: Job;
  /** Number of the array that it was last submitted in. */
  array: string;
  submitted: number;
  missed: number;
  /** The state that was last told. */
  told: string;
}

/** One outcome per job. @throws {UserError} where there is no Slurm here, or it refuses the jobs */
export async function runOnSlurm(jobs: readonly Job[], options: RunOptions): Promise<Map<Job, Outcome>> {
  const { folder, again, signal } = options;
  const place = join(folder, "slurm", randomUUID());
  await mkdir(place, { recursive: true });
  const order: SlurmOrder = { folder, again, jobs };
  await writeFile(join(place, orderFile), JSON.stringify(order));
  const tasks = new Map(
    jobs.map((job, i): [number, Task] => [i, { job, array: "", submitted: 0, missed: 0, told: "" }]),
  );
  const outcomes = new Map<Job, Outcome>();
  try {
    settle(tasks, outcomes, await submit(place, tasks, options));
    while (tasks.size > 0 && !signal.aborted) {
      await sleep(poll, undefined, { signal }).catch(() => undefined);
      settle(tasks, outcomes, await look(place, tasks, options));
    }
  } finally {
    const arrays = [...new Set([...tasks.values()].map(({ array }) => array))].filter(Boolean);
    if (arrays.length > 0) await slurm("scancel", ...arrays);
    await rm(place, { recursive: true, force: true });
  }
  for (const { job } of tasks.values()) outcomes.set(job, failed(messages.stopped(job.experiment)));
  return outcomes;
}

/** Moves tasks that ended to the outcomes. */
function settle(tasks: Map<number, Task>, outcomes: Map<Job, Outcome>, ended: ReadonlyMap<number, Outcome>): void {
  for (const [i, outcome] of ended) {
    const task = tasks.get(i);
    tasks.delete(i);
    if (task) outcomes.set(task.job, outcome);
  }
}

const failed = (message: string, log: readonly string[] = []): Outcome => ({
  failure: { message, badInput: false, log },
});

/**
 * Jobs that need the same go into one array. Partition, account and time limit are Slurm's SBATCH_ variables. Returns
 * those that Slurm refuses, as it does where they need more than any node has.
 */
async function submit(
  place: string,
  tasks: ReadonlyMap<number, Task>,
  { parallel, onEvent }: Pick<RunOptions, "parallel" | "onEvent">,
): Promise<Map<number, Outcome>> {
  const refused = new Map<number, Outcome>();
  const groups = new Map<string, number[]>();
  for (const [i, { job }] of tasks) {
    const needs = JSON.stringify(job.resources);
    groups.set(needs, [...(groups.get(needs) ?? []), i]);
  }
  const script = join(place, "task.sh");
  const command = [process.execPath, starter, join(root, "loaders/runner/slurm-task.ts")];
  await writeFile(script, `#!/bin/sh\nexec ${[...command, place].map(quoted).join(" ")}\n`);
  for (const numbers of groups.values()) {
    const { cores, memory, gpus } = tasks.get(numbers[0])!.job.resources;
    const array = await slurm(
      "sbatch",
      "--parsable",
      "--requeue",
      "--open-mode=append",
      "--job-name=observatory",
      `--chdir=${root}`,
      `--output=${join(place, logFile("%a"))}`,
      `--array=${numbers.join(",")}${parallel === undefined ? "" : `%${parallel}`}`,
      `--cpus-per-task=${cores}`,
      ...(memory > 0 ? [`--mem=${Math.ceil(memory * 1024)}M`] : []),
      ...(gpus > 0 ? [`--gres=gpu:${gpus}`] : []),
      script,
    ).catch((error: unknown) => (error instanceof SlurmRefusal ? error : Promise.reject(error)));
    if (array instanceof SlurmRefusal) {
      const failure: Failure = { message: array.message, badInput: true, log: [] };
      for (const i of numbers) {
        onEvent(tasks.get(i)!.job, { type: "failed", ...failure });
        refused.set(i, { failure });
      }
      continue;
    }
    for (const i of numbers) {
      const task = tasks.get(i)!;
      task.array = array.trim().split(";")[0]; // NUMBER or NUMBER;CLUSTER
      task.missed = 0;
      ++task.submitted;
    }
  }
  return refused;
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** Tells what tasks have written, and returns those that ended; a task that was lost is handed over again. */
async function look(
  place: string,
  tasks: ReadonlyMap<number, Task>,
  options: RunOptions,
): Promise<Map<number, Outcome>> {
  const { onEvent } = options;
  const ended = new Map<number, Outcome>();
  const lost = new Map<number, Task>();
  const queue = await statesOf(tasks);
  for (const [i, task] of tasks) {
    const text = await readFile(join(place, stateFile(i)), "utf8").catch(absent);
    const state: TaskState | undefined = text === undefined ? undefined : JSON.parse(text);
    if (text !== undefined && state && text !== task.told) onEvent(task.job, state.event);
    task.told = text ?? "";
    if (state?.outcome) {
      ended.set(i, await outcomeOf(task, state.outcome));
      continue;
    }
    if (!queue) continue;
    const queued = queue.get(`${task.array}_${i}`) ?? "GONE";
    if (isAlive(queued)) task.missed = 0;
    else if (++task.missed > patience) {
      const tail = await lastLines(join(place, logFile(i)));
      if (isLost(queued) && task.submitted < attempts) lost.set(i, task);
      else ended.set(i, failed(messages.slurmEnded(task.job.experiment, queued), tail));
    }
  }
  for (const { job } of lost.values()) onEvent(job, { type: "warning", message: messages.slurmLost(job.experiment) });
  return new Map([...ended, ...(await submit(place, lost, options))]);
}

async function outcomeOf({ job }: Task, outcome: NonNullable<TaskState["outcome"]>): Promise<Outcome> {
  if ("failure" in outcome) return outcome;
  const result = await openResult(outcome.folder);
  return result ? { result } : failed(messages.slurmElsewhere(job.experiment, outcome.folder));
}

/**
 * What Slurm says of tasks, by ARRAY_TASK; those that it has forgotten are not among them. Undefined where it does not
 * answer, as while its controller is started anew: tasks run on meanwhile.
 */
async function statesOf(tasks: ReadonlyMap<number, Task>): Promise<Map<string, string> | undefined> {
  const arrays = [...new Set([...tasks.values()].map(({ array }) => array))];
  const found = new Map<string, string>();
  for (const array of arrays) {
    const answer = await slurm(
      "squeue",
      "--noheader",
      "--array",
      "--states=all",
      `--jobs=${array}`,
      "--format=%F_%K %T",
    )
      // Slurm refuses to speak of a job that it has forgotten.
      .catch((error: unknown) => (error instanceof SlurmRefusal ? error : Promise.reject(error)));
    if (answer instanceof SlurmRefusal) {
      if (/invalid job id/i.test(answer.message)) continue;
      return undefined;
    }
    for (const line of answer.trim().split("\n")) {
      const [name, state] = line.trim().split(" ");
      if (state) found.set(name, state);
    }
  }
  return found;
}

const isAlive = (state: string) =>
  ["PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED", "RESIZING", "SUSPENDED", "STOPPED"].includes(state);

const isLost = (state: string) => ["GONE", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED"].includes(state);

async function lastLines(file: string): Promise<string[]> {
  const text = (await readFile(file, "utf8").catch(absent)) ?? "";
  return text.trimEnd().split("\n").slice(-linesKept);
}

class SlurmRefusal extends UserError {}

/** What one of Slurm's commands prints. @throws {UserError} where there is none, or it refuses */
async function slurm(command: string, ...args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(command, args)).stdout;
  } catch (error) {
    if (errorCode(error) === "ENOENT") throw new UserError(messages.noSlurm(command));
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : String(error);
    throw new SlurmRefusal(messages.slurmRefuses(command, said.split("\n").at(-1) ?? ""));
  }
}
