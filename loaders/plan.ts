/** What stands and what has to be computed, for experiments by name. Plain data, so that another process can make it. */
import { UserError } from "../engine/errors.js";
import { type Job, type JobOptions, jobOf } from "./job.js";
import { type Standing, type StandingOptions, standings } from "./results.js";

export interface Plan {
  readonly experiment: string;
  /** Absent where the experiment is broken. */
  readonly job?: Job;
  readonly key?: string;
  /** Folder of the result, where it is fresh. */
  readonly fresh?: string;
  /** Folder of the result that is nearest to it, where it is not. */
  readonly stale?: string;
  /** What has changed since the stale result, or what is broken. */
  readonly reason?: string;
}

/**
 * One plan per experiment. One that is broken does not stop the others.
 * @throws {UserError} where an input or the model cannot be used
 */
export async function planFor(
  ids: readonly string[],
  jobOptions: JobOptions,
  options: StandingOptions,
): Promise<Plan[]> {
  const jobs = await Promise.all(ids.map((id) => unlessBroken(jobOf(id, jobOptions))));
  const sound = jobs.flatMap((job) => (job instanceof Error ? [] : job));
  const standing = new Map((await standings(sound, options)).map((it, i) => [sound[i], it]));
  return Promise.all(
    ids.map(async (experiment, i): Promise<Plan> => {
      const job = jobs[i];
      if (job instanceof Error) return { experiment, reason: job.message };
      const found = await unlessBroken(standing.get(job)!);
      return found instanceof Error ? { experiment, reason: found.message } : { experiment, ...summary(found) };
    }),
  );
}

function summary({ job, identity, result, stale, reason }: Standing): Omit<Plan, "experiment"> {
  return { job, key: identity.key, fresh: result?.folder, stale: stale?.folder, reason };
}

async function unlessBroken<T>(work: Promise<T>): Promise<T | Error> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UserError) throw error;
    return error instanceof Error ? error : new Error(String(error));
  }
}
