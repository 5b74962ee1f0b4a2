/** Writes how the whole full suite went to data/benchmarks/tests.json: for each project how many tests, and what came of them. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Reporter, TestModule, Vitest } from "vitest/node";

const file = fileURLToPath(new URL("../data/benchmarks/tests.json", import.meta.url));

export default class CountsReporter implements Reporter {
  #names: readonly string[] = [];

  onInit({ projects }: Vitest): void {
    this.#names = projects.map(({ name }) => name);
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const projects = this.#names.map((project) => {
      const files = modules.filter((module) => module.project.name === project);
      const states = files.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
      const count = (state: (typeof states)[number]) => states.filter((it) => it === state).length;
      return {
        project,
        files: files.length,
        tests: states.length,
        passed: count("passed"),
        failed: count("failed"),
        skipped: count("skipped"),
      };
    });
    if (projects.some(({ tests }) => tests === 0)) return; // a part of the suite says nothing about the whole
    const report = { date: new Date().toISOString(), node: process.versions.node, projects };
    writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  }
}
