import { join } from "node:path";
import { experimentIds } from "../experiments/index.js";
import { modelName, projectPath, workFolder } from "../project.js";
import { planFor } from "../runner/plan.js";
import { passportFile } from "../store/result.js";
import { Store } from "../store/store.js";
import { color, say } from "../terminal.js";

interface StatusRow {
  readonly experiment: string;
  readonly model: string | null;
  readonly key: string | null;
  readonly state: "fresh" | "stale" | "missing" | "running" | "failed";
  readonly reason: string | null;
  /** Path of the passport. */
  readonly passport: string | null;
}

export async function status({ model, json }: { readonly model?: string; readonly json?: boolean }): Promise<void> {
  const rows = await statusOf(model);
  if (json) console.log(JSON.stringify(rows, null, 2));
  else for (const line of table(rows)) console.log(line);
}

async function statusOf(model: string | undefined): Promise<StatusRow[]> {
  const store = new Store(workFolder, say);
  const plans = await planFor(await experimentIds(), { model }, { warn: say, anyDevice: true });
  return Promise.all(
    plans.map(async ({ experiment, job, key, fresh, stale, reason }): Promise<StatusRow> => {
      const open = key !== undefined && !fresh;
      const running = open && (await store.isComputing(key));
      const failure = open && !running ? await store.failures.last(key) : undefined;
      const passport = fresh ?? stale;
      return {
        experiment,
        model: job?.model ? modelName(job.model) : null,
        key: key ?? null,
        state: !job || failure ? "failed" : fresh ? "fresh" : running ? "running" : stale ? "stale" : "missing",
        reason: failure?.message ?? reason ?? null,
        passport: passport ? projectPath(join(passport, passportFile)) : null,
      };
    }),
  );
}

const paint = {
  fresh: color.green,
  stale: color.yellow,
  missing: color.yellow,
  running: color.cyan,
  failed: color.red,
};

function table(rows: readonly StatusRow[]): string[] {
  const width = Math.max(0, ...rows.map(({ experiment }) => experiment.length));
  return rows.map(({ experiment, state, model, reason }) =>
    [experiment.padEnd(width), paint[state](state.padEnd(7)), model ?? "records", reason ?? ""].join("  ").trimEnd(),
  );
}
