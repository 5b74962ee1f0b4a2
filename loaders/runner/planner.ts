/** A process that plans all experiments and ends: the preview outlives the code it plans with, and must see it change. */
import { UserError } from "../../engine/errors.js";
import { experimentIds } from "../experiments/index.js";
import { type Plan, planFor } from "./plan.js";

export interface PlanOrder {
  readonly model?: string;
}

export interface PlanReply {
  readonly plans: readonly Plan[];
  readonly warnings: readonly string[];
  /** Why nothing can be planned. */
  readonly failure?: { readonly message: string; readonly badInput: boolean };
}

process.on("disconnect", () => process.exit(1));
process.once("message", (order: PlanOrder) => void reply(order));

async function reply(order: PlanOrder): Promise<void> {
  process.send?.(await plan(order), undefined, undefined, () => process.exit());
}

async function plan({ model }: PlanOrder): Promise<PlanReply> {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  try {
    return { plans: await planFor(await experimentIds(), { model }, { warn, anyDevice: true }), warnings };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { plans: [], warnings, failure: { message, badInput: error instanceof UserError } };
  }
}
