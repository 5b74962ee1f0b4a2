/** Draws a chart without a page, and tells what Vega and Vega-Lite had to say about it. */
import { parse, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Spec } from "../../../components/chart.js";

type Rows = readonly Readonly<Record<string, unknown>>[];

export async function draw(spec: Spec, rows: Rows, width = 600): Promise<{ svg: string; warnings: string[] }> {
  const warnings: string[] = [];
  const note = (...messages: readonly unknown[]) => {
    warnings.push(messages.join(" "));
    return logger;
  };
  const logger = { level: () => logger, error: note, warn: note, info: () => logger, debug: () => logger };
  const unit = typeof spec === "function" ? spec({ rows, mode: "light", width }) : spec;
  const whole = { width, height: 200, padding: 2, ...unit, data: { name: "rows" } } as TopLevelSpec;
  const vega = compile(whole, { logger }).spec;
  const view = new View(parse(vega, undefined, { ast: true }), {
    expr: expressionInterpreter,
    renderer: "none",
    logger,
  });
  const svg = await view.data("rows", [...rows]).toSVG();
  view.finalize();
  return { svg, warnings };
}
