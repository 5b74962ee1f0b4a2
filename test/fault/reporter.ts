/** Writes how the fault suite went to data/benchmarks/faults.json: how many cases of each fault, and how many passed. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Reporter, TestCase, TestModule } from "vitest/node";

const file = fileURLToPath(new URL("../../data/benchmarks/faults.json", import.meta.url));

export default class FaultReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, { fault: string; cases: number; passed: number; skipped: number }>();
    for (const module of modules.filter(({ project }) => project.name === "fault")) {
      for (const test of module.children.allTests()) {
        const fault = faultOf(test);
        const count = counts.get(fault) ?? { fault, cases: 0, passed: 0, skipped: 0 };
        const { state } = test.result();
        ++count.cases;
        if (state === "passed") ++count.passed;
        if (state === "skipped") ++count.skipped;
        counts.set(fault, count);
      }
    }
    if (counts.size === 0) return;
    const report = { date: new Date().toISOString(), node: process.versions.node, faults: [...counts.values()] };
    mkdirSync(fileURLToPath(new URL("../../data/benchmarks", import.meta.url)), { recursive: true });
    writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  }
}

/** "a run that is killed by SIGKILL N ms into its work …": cases that differ in a number only are one fault. */
function faultOf({ fullName }: TestCase): string {
  return fullName.replaceAll(" > ", " ").replace(/\d+(\.\d+)?/g, "N");
}
