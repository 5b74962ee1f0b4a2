/** Turns plans into results: takes those that stand, computes the rest, and says on stderr what is worth knowing. */
import { availableParallelism } from "node:os";
import { messages } from "../messages.js";
import { projectPath, workFolder } from "../project.js";
import { openResult } from "../store/result.js";
import { Store } from "../store/store.js";
import { color, say } from "../terminal.js";
import type { Plan } from "./plan.js";
import { progressDisplay } from "./progress.js";
import { type Failure, type Outcome, runJobs } from "./run.js";

export interface FulfilOptions {
  readonly signal: AbortSignal;
  /** Jobs at a time; default one per core. */
  readonly parallel?: number;
  /** Threads of each job; default 1, because jobs side by side use few cores better than threads do. */
  readonly threads?: number;
  /** Compute what stands, too. */
  readonly again?: boolean;
  /** Lines and no block, because others write to the terminal too. */
  readonly plainProgress?: boolean;
  readonly debug?: boolean;
}

/** One outcome per plan, by experiment. Throws an AbortError where it was interrupted. */
export async function fulfil(plans: readonly Plan[], options: FulfilOptions): Promise<Map<string, Outcome>> {
  const { signal, again = false, plainProgress = false, debug = false } = options;
  for (const plan of plans) say(planLine(plan, again));
  const missing = plans.flatMap(({ job, fresh }) => (job && (again || !fresh) ? [job] : []));
  const computed = missing.length > 0 ? await computeAll() : new Map<never, Outcome>();
  signal.throwIfAborted();
  const outcomes = new Map<string, Outcome>();
  for (const [{ experiment }, outcome] of computed) outcomes.set(experiment, outcome);
  for (const { experiment, job, fresh, reason = "" } of plans) {
    const result = job && !outcomes.has(experiment) && fresh ? await openResult(fresh) : undefined;
    if (result) outcomes.set(experiment, { result });
    else if (!job) outcomes.set(experiment, { failure: { message: reason, badInput: false, log: [] } });
  }
  for (const [experiment, outcome] of outcomes)
    if ("failure" in outcome) sayFailure(experiment, outcome.failure, debug);
  return outcomes;

  async function computeAll() {
    await new Store(workFolder, say).sweep();
    const display = progressDisplay(missing, plainProgress);
    const { parallel = availableParallelism(), threads = 1 } = options;
    const outcomes = await runJobs(missing, {
      parallel,
      threads,
      again,
      signal,
      onEvent: (job, event) => {
        display.update(job, event);
        if (event.type === "warning") display.say(event.message);
        if (event.type === "log" && debug) display.say(`${job.experiment}: ${event.line}`);
      },
    });
    display.close();
    return outcomes;
  }
}

function planLine({ experiment, job, fresh, reason }: Plan, again: boolean): string {
  if (!job) return messages.broken(experiment);
  if (fresh && again) return messages.freshAgain(experiment);
  return fresh ? messages.fresh(experiment, projectPath(fresh)) : messages.toCompute(experiment, reason);
}

function sayFailure(experiment: string, { message, stack, log }: Failure, debug: boolean): void {
  for (const line of log) say(color.dim(`  ${line}`));
  say(`${color.red(`${experiment} failed`)}: ${debug && stack ? stack : message}`);
}
