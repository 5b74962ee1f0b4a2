/** Runs an experiment that needs no model, with some of its parameters replaced. */
import { expect } from "vitest";
import type { Context, Experiment, Judgement, Parameters } from "../../../loaders/experiment.js";
import type { Batch } from "../../../loaders/table.js";

export async function runPure<P extends Parameters, Evidence>(
  experiment: Experiment<P, Evidence>,
  parameters: Partial<P> = {},
  inputs: Context<P>["inputs"] = {},
): Promise<{ readonly batches: readonly Batch[]; readonly evidence: Evidence }> {
  const none = () => Promise.reject(new Error("this experiment needs no model"));
  const steps = experiment.run({
    parameters: { ...experiment.parameters, ...parameters },
    model: none,
    control: none,
    tokenizer: none,
    inputs,
    progress: () => {},
    signal: new AbortController().signal,
  });
  const batches: Batch[] = [];
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return { batches, evidence: value };
    batches.push(value);
  }
}

/** What each claim of the experiment comes to. */
export function judged<Evidence>(
  { claims }: Pick<Experiment<Parameters, Evidence>, "claims">,
  evidence: Evidence,
): Record<string, Judgement> {
  return Object.fromEntries(claims.map((claim) => [claim.id, claim.judge(evidence)]));
}

/** Every declared table has rows, and they have the declared columns. */
export function expectDeclaredRows({ tables }: Pick<Experiment, "tables">, batches: readonly Batch[]): void {
  for (const { name, columns } of tables) {
    const rows = batches.filter((batch) => batch.table === name).flatMap((batch) => batch.rows);
    expect(rows.length, name).toBeGreaterThan(0);
    for (const row of rows) expect(Object.keys(row).sort(), name).toEqual(Object.keys(columns).sort());
  }
}
