/** The process of one measure: it is told which, and tells what it measured. It ends with its parent. */
import { measures } from "./measures.js";

export type Measures = typeof measures;

/** A measure by its name, and what it is called with. */
export type MeasureOrder = { [K in keyof Measures]: readonly [K, Parameters<Measures[K]>[0]] }[keyof Measures];

process.once("message", async (order: MeasureOrder) => {
  process.send?.(await carryOut(order), () => process.exit());
});
process.once("disconnect", () => process.exit());

function carryOut([name, argument]: MeasureOrder): Promise<object> {
  return name === "memory" ? measures.memory(argument) : measures[name](argument);
}
