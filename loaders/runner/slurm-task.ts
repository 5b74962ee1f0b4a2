/** One task of a Slurm array: computes its job as the local runner does, and writes how far it is where all can read it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../store/system.js";
import { exitCodes, untilInterrupted } from "../terminal.js";
import type { Job } from "./job.js";
import { type RunEvent, runJobs } from "./run.js";
import { orderFile, type SlurmOrder, stateFile, type TaskState } from "./slurm.js";

const [place] = process.argv.slice(2);
const task = Number(process.env.SLURM_ARRAY_TASK_ID);
const file = join(place, stateFile(task));

/** How often progress is written; every write crosses a network. */
const interval = 1000; // ms

let written = Promise.resolve();
let next = 0;

function tell(state: TaskState): Promise<void> {
  written = written.then(() => replaceFile(file, JSON.stringify(state)));
  return written;
}

function onEvent(_: Job, event: RunEvent): void {
  if (event.type === "log") console.log(event.line);
  if (event.type === "log" || event.type === "finished" || event.type === "failed" || performance.now() < next) return;
  next = performance.now() + interval;
  void tell({ event });
}

const { jobs, folder, again }: SlurmOrder = JSON.parse(await readFile(join(place, orderFile), "utf8"));
const signal = untilInterrupted();
const [outcome] = (await runJobs([jobs[task]], { folder, again, signal, onEvent })).values();
// A task that Slurm stops has not failed: it is requeued or cancelled, and whoever did that knows.
if (signal.aborted) process.exitCode = exitCodes.interrupted;
else if ("result" in outcome) {
  const result = { folder: outcome.result.folder };
  await tell({ event: { type: "finished", ...result }, outcome: result });
} else {
  await tell({ event: { type: "failed", ...outcome.failure }, outcome });
  process.exitCode = exitCodes.failed;
}
