/** Runs an experiment: its rows through the gate into tables, its evidence through its claims into verdicts. */

import type { Context, Experiment, Parameters } from "../experiment.js";
import { batch, table } from "../table.js";
import { Encoder } from "./encoder.js";

export const verdicts = table("verdicts", "What each claim of the experiment came to, by its rule.", {
  claim: { kind: "text", meaning: "the claim's name in the experiment" },
  paper: { kind: "text", meaning: "the paper that makes it, by its name in the catalogue" },
  statement: { kind: "text", meaning: "the claim in our words" },
  measure: { kind: "text", meaning: "what the estimate is, with its unit" },
  rule: { kind: "text", meaning: "what decides the outcome" },
  revised: {
    kind: "text",
    meaning: "what had been seen when claim or rule were written or changed after a trial",
    optional: true,
  },
  outcome: { kind: "text", meaning: "what the rule says of this result" },
  estimate: { kind: "float64", meaning: "the measure", optional: true },
  low: { kind: "float64", meaning: "lower end of the 95 % interval", optional: true },
  high: { kind: "float64", meaning: "upper end of the 95 % interval", optional: true },
  n: { kind: "int32", meaning: "independent units behind the interval" },
});

/** The encoder of each table, filled: the declared ones, and the verdicts. */
export async function execute<P extends Parameters, Evidence>(
  experiment: Experiment<P, Evidence>,
  context: Context<P>,
): Promise<Map<string, Encoder>> {
  const encoders = new Map([...experiment.tables, verdicts].map((of) => [of.name, new Encoder(experiment.id, of)]));
  const append = ({ table: name, rows }: ReturnType<typeof batch>) => {
    const encoder = encoders.get(name);
    if (!encoder)
      throw new Error(`experiment ${experiment.id} yields rows for a table ${name} that it does not declare`);
    encoder.append(rows);
  };
  const run = experiment.run(context);
  for (;;) {
    context.signal.throwIfAborted();
    const { done, value } = await run.next();
    if (!done) {
      append(value);
      continue;
    }
    const rows = experiment.claims.map((claim) => ({
      claim: claim.id,
      paper: claim.paper,
      statement: claim.statement,
      measure: claim.measure,
      rule: claim.rule,
      revised: claim.revised ?? null,
      ...claim.judge(value),
    }));
    append(batch(verdicts, rows));
    return encoders;
  }
}
