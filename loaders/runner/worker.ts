/** The process that computes one job for `runJobs`, and reports to it. It ends with its parent, however that ends. */
import { UserError } from "../../engine/errors.js";
import { compute } from "./compute.js";
import type { Job } from "./job.js";

export interface WorkOrder {
  readonly job: Job;
  readonly threads: number;
  readonly again: boolean;
}

export type WorkReport =
  | { readonly type: "progress"; readonly done: number; readonly total: number; readonly message?: string }
  | { readonly type: "waiting" }
  | { readonly type: "warning"; readonly message: string }
  | { readonly type: "finished"; readonly folder: string }
  | { readonly type: "failed"; readonly message: string; readonly stack?: string; readonly badInput: boolean };

/** Reports of progress per second that reach the parent; a fast experiment reports thousands. */
const rate = 10;

process.on("disconnect", () => process.exit(1));
process.on("SIGINT", () => {}); // a terminal's Ctrl-C reaches the whole group; the parent decides and then says SIGTERM
process.once("message", (order: WorkOrder) => void work(order));

function report(message: WorkReport): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}

async function work({ job, threads, again }: WorkOrder): Promise<void> {
  let next = 0;
  const progress = (done: number, total: number, message?: string) => {
    const now = performance.now();
    if (now < next && done < total) return;
    next = now + 1000 / rate;
    void report({ type: "progress", done, total, message });
  };
  try {
    const { folder } = await compute(job, {
      threads,
      again,
      progress,
      signal: new AbortController().signal, // SIGTERM ends this process at once, which loses nothing
      onWait: () => void report({ type: "waiting" }),
      warn: (message) => void report({ type: "warning", message }),
    });
    await report({ type: "finished", folder });
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
