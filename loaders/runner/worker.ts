/**
 * The process that computes one job for `runJobs`, and reports to it. It leads a group of its own, and ends with its
 * parent, however that ends, and all that it has started with it.
 */
import { Worker } from "node:worker_threads";
import { UserError } from "../../engine/errors.js";
import { compute } from "./compute.js";
import type { Job } from "./job.js";
import { peakMemory } from "./provenance.js";

export interface WorkOrder {
  readonly job: Job;
  /** Where the store lies. */
  readonly folder: string;
  readonly threads: number;
  readonly again: boolean;
}

export type WorkReport =
  /** `memory`: the process's peak so far, in bytes. */
  | {
      readonly type: "progress";
      readonly done: number;
      readonly total: number;
      readonly message?: string;
      readonly memory: number;
    }
  | { readonly type: "waiting" }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "finished"; readonly folder: string }
  | { readonly type: "failed"; readonly message: string; readonly stack?: string; readonly badInput: boolean };

/** Reports of progress per second that reach the parent; a fast experiment reports thousands. */
const rate = 10;

/** An experiment that never yields hears nothing of `disconnect`; a thread of its own still sees that the parent is gone. */
const guard = `
  const { workerData: parent } = require("node:worker_threads");
  setInterval(() => process.ppid === parent || process.kill(-process.pid, "SIGKILL"), 1000);
`;

new Worker(guard, { eval: true, execArgv: [], workerData: process.ppid }).unref();
process.on("disconnect", () => process.kill(-process.pid, "SIGKILL"));
process.once("message", (order: WorkOrder) => void work(order));

function report(message: WorkReport): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}

/** What the key was made of is what the experiment reads, wherever this process runs. */
function setEnvironment({ environment = {} }: Job): void {
  for (const [name, value] of Object.entries(environment)) {
    if (value === null) delete process.env[name];
    else process.env[name] = value;
  }
}

async function work({ job, folder, threads, again }: WorkOrder): Promise<void> {
  let next = 0;
  const progress = (done: number, total: number, message?: string) => {
    const now = performance.now();
    if (now < next && done < total) return;
    next = now + 1000 / rate;
    void report({ type: "progress", done, total, message, memory: peakMemory() });
  };
  try {
    setEnvironment(job);
    const result = await compute(job, {
      folder,
      threads,
      again,
      progress,
      signal: new AbortController().signal, // SIGTERM ends this process at once, which loses nothing
      onWait: () => void report({ type: "waiting" }),
      warn: (message) => void report({ type: "warning", message }),
    });
    await report({ type: "finished", folder: result.folder });
  } catch (error) {
    await report({
      type: "failed",
      message: error instanceof Error ? error.message : String(error),
      stack: error instanceof Error ? error.stack : undefined,
      badInput: error instanceof UserError,
    });
  }
  process.exit();
}
