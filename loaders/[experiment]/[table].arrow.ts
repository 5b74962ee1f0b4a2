/**
 * The data loader of all results: data/EXPERIMENT/TABLE.arrow, from the store, computed where it is missing. Preview and
 * build put results into Framework's cache before this is asked; it answers whoever runs Framework by itself.
 */
import { parseArgs } from "node:util";
import { UserError } from "../../engine/errors.js";
import { chosenExperiments } from "../cli/experiments.js";
import { messages } from "../messages.js";
import { fulfil } from "../runner/fulfil.js";
import { planFor } from "../runner/plan.js";
import { servedTable } from "../site/cache.js";
import { report, say, untilInterrupted } from "../terminal.js";

async function load(experiment: string, table: string): Promise<Uint8Array> {
  const plans = await planFor(await chosenExperiments([experiment]), {}, { warn: say, anyDevice: true });
  const outcome = (await fulfil(plans, { signal: untilInterrupted() })).get(experiment);
  if (!outcome || "failure" in outcome) throw new Error(messages.noResult(experiment, outcome?.failure.message ?? ""));
  const tables = Object.keys(outcome.result.passport.tables);
  if (!tables.includes(table)) throw new UserError(messages.unknownTable(experiment, table, tables));
  return servedTable(outcome, table);
}

const { values } = parseArgs({ options: { experiment: { type: "string" }, table: { type: "string" } } });
try {
  process.stdout.write(await load(values.experiment ?? "", values.table ?? ""));
} catch (error) {
  process.exitCode = report(error, false);
}
