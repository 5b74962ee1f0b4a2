/** Runs jobs, each in a process of its own, side by side within what the machine has. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { messages } from "../messages.js";
import type { Failure } from "../store/failures.js";
import { openResult, type Result } from "../store/result.js";
import { forkModule, signalGroup } from "./fork.js";
import type { Job } from "./job.js";
import { type Capacity, Machine, machineCapacity } from "./schedule.js";
import type { WorkOrder, WorkReport } from "./worker.js";

export interface RunOptions {
  /** Where the store lies. */
  readonly folder: string;
  /** Jobs at a time at most. */
  readonly parallel?: number;
  /** Where others run jobs, too; this one's, with nobody else on it, unless given. */
  readonly machine?: Machine;
  readonly again: boolean;
  /** Stops every job; those that are not finished fail. */
  readonly signal: AbortSignal;
  readonly onEvent: (job: Job, event: RunEvent) => void;
}

export type RunEvent = { readonly type: "started" } | { readonly type: "log"; readonly line: string } | WorkReport;

export type Outcome = { readonly result: Result } | { readonly failure: Failure };

/** How much of a job's output is kept for the case that it fails. */
const linesKept = 20;

/** How long a process may take to end by itself before it is made to. */
const grace = 3000; // ms

/** One outcome per job. A job that fails does not stop the others; those that were stopped, or never began, have failed. */
export async function runJobs(jobs: readonly Job[], options: RunOptions): Promise<Map<Job, Outcome>> {
  const outcomes = new Map<Job, Outcome>();
  restTogether();
  const device = jobs.find((job) => job.device !== undefined)?.device; // one command, one device
  const { machine = new Machine(machineCapacity(options.parallel, device)) } = options;
  const running = jobs.map(async (job) => {
    const outcome = machine.lend(job.resources, (gpus) => runJob(job, gpus, machine.capacity, options));
    outcomes.set(job, await outcome.catch((error: Error) => couldNotRun(job, error, options)));
  });
  await Promise.all(running);
  return outcomes;
}

/** Where its process cannot be started or spoken to, as on a machine that has no place for one more. */
function couldNotRun(job: Job, error: Error, { onEvent }: RunOptions): Outcome {
  const message = messages.couldNotRun(job.experiment, error.message);
  onEvent(job, { type: "failed", message, badInput: false });
  return { failure: { message, stack: error.stack, badInput: false, log: [] } };
}

async function runJob(job: Job, gpus: readonly string[], capacity: Capacity, options: RunOptions): Promise<Outcome> {
  const { folder, again, signal, onEvent } = options;
  if (signal.aborted) return { failure: { message: messages.stopped(job.experiment), badInput: false, log: [] } };
  const { cores, memory } = job.resources;
  if (memory > capacity.memory) {
    const message = messages.tooLittleMemory(job.experiment, memory, capacity.memory);
    onEvent(job, { type: "failed", message, badInput: true });
    return { failure: { message, badInput: true, log: [] } };
  }
  const log: string[] = [];
  const keep = (line: string) => {
    log.push(line);
    if (log.length > linesKept) log.shift();
    onEvent(job, { type: "log", line });
  };
  onEvent(job, { type: "started" });
  // A group of its own, so that what an experiment starts ends with it. It leads no life of its own: see worker.ts.
  const env = gpus.some(Boolean) ? { CUDA_VISIBLE_DEVICES: gpus.join(",") } : {};
  const child = forkModule("loaders/runner/worker.ts", "pipe", { env, detached: true });
  child.on("error", () => {}); // `ended` tells of it
  atWork.add(child);
  child.once("exit", () => {
    atWork.delete(child);
    signalGroup(child, "SIGKILL"); // what is left would keep its output open
  });
  for (const stream of [child.stdout, child.stderr]) eachLine(stream, keep);
  let last: WorkReport | undefined;
  child.on("message", (message: WorkReport) => {
    last = message;
    onEvent(job, message);
  });
  const ended = Promise.all([once(child, "close"), once(child, "disconnect")]); // reports may come after the exit
  const stop = () => void end(child);
  signal.addEventListener("abort", stop, { once: true });
  child.send({ job, folder, threads: cores, again } satisfies WorkOrder);
  const [[code, how]] = await ended;
  signal.removeEventListener("abort", stop);

  const result = last?.type === "finished" ? await openResult(last.folder) : undefined;
  if (result) return { result };
  if (last?.type === "failed") return { failure: { ...last, log } };
  const message = signal.aborted
    ? messages.stopped(job.experiment)
    : messages.processEnded(job.experiment, how ?? `code ${code}`);
  onEvent(job, { type: "failed", message, badInput: false });
  return { failure: { message, badInput: false, log } };
}

/** Ends processes that may be busy: by SIGTERM, and by SIGKILL where that is not heard. */
async function end(child: ChildProcess): Promise<void> {
  signalGroup(child, "SIGTERM");
  await sleep(grace, undefined, { ref: false });
  if (child.exitCode === null && child.signalCode === null) signalGroup(child, "SIGKILL");
}

const atWork = new Set<ChildProcess>();

/** A terminal's Ctrl-Z and `fg` reach this process's group only: jobs rest and go on with it. */
let restsTogether = false;
function restTogether(): void {
  if (restsTogether) return;
  restsTogether = true;
  process.on("SIGTSTP", () => {
    for (const child of atWork) signalGroup(child, "SIGSTOP");
    process.kill(process.pid, "SIGSTOP");
  });
  process.on("SIGCONT", () => {
    for (const child of atWork) signalGroup(child, "SIGCONT");
  });
}

function eachLine(stream: Readable | null, line: (text: string) => void): void {
  if (stream) createInterface(stream).on("line", line);
}
