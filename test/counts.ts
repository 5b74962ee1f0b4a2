/** Writes how the full suite went to data/benchmarks/tests.json: for each project how many tests, and what came of them. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Reporter, TestModule, Vitest } from "vitest/node";

const file = fileURLToPath(new URL("../data/benchmarks/tests.json", import.meta.url));

interface Counts {
  readonly project: string;
  readonly date: string;
  readonly node: string;
  readonly files: number;
  readonly tests: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Projects may run one at a time (`npm run test:full -- --project fault`): what the others came to stays. */
export default class CountsReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    if (!this.#vitest || this.#vitest.config.testNamePattern) return;
    const every = await this.#vitest.globTestSpecifications();
    const counted = this.#vitest.projects.flatMap(({ name }) => {
      const files = modules.filter(({ project }) => project.name === name);
      // A part of a project says nothing about the whole.
      const whole = files.length > 0 && files.length === every.filter(({ project }) => project.name === name).length;
      return whole ? countsOf(name, files) : [];
    });
    if (counted.length === 0) return;
    const last: { readonly projects: readonly Counts[] } = existsSync(file)
      ? JSON.parse(readFileSync(file, "utf8"))
      : { projects: [] };
    const others = last.projects.filter(({ project }) => !counted.some((it) => it.project === project));
    const projects = [...others, ...counted].sort((a, b) => a.project.localeCompare(b.project));
    writeFileSync(file, `${JSON.stringify({ projects }, null, 2)}\n`);
  }
}

function countsOf(project: string, files: readonly TestModule[]): Counts {
  const states = files.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
  const count = (state: (typeof states)[number]) => states.filter((it) => it === state).length;
  return {
    project,
    date: new Date().toISOString(),
    node: process.versions.node,
    files: files.length,
    tests: states.length,
    passed: count("passed"),
    failed: count("failed"),
    skipped: count("skipped"),
  };
}
