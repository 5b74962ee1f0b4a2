/** Writes how the full suite went to data/benchmarks/tests.json: for each project how many tests, and what came of them. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Reporter, TestModule, TestSpecification, Vitest } from "vitest/node";

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

/**
 * Projects may run one at a time (`npm run test:full -- --project fault`): what the others came to stays. Each is written
 * down when it has ended, because the whole takes over an hour, and may be interrupted.
 */
export default class CountsReporter implements Reporter {
  #vitest: Vitest | undefined;
  /** The number of files of each project that runs as a whole: a part of one says nothing. */
  readonly #due = new Map<string, number>();
  readonly #ended = new Map<string, TestModule[]>();

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
    vitest.onCancel(() => this.#due.clear()); // what did not run would count as skipped
  }

  async onTestRunStart(specifications: readonly TestSpecification[]): Promise<void> {
    if (!this.#vitest || this.#vitest.config.testNamePattern || this.#vitest.config.tagsFilter) return;
    const every = await this.#vitest.globTestSpecifications();
    for (const { name } of this.#vitest.projects) {
      const filesOf = (all: readonly TestSpecification[]) => all.filter(({ project }) => project.name === name).length;
      if (filesOf(specifications) === filesOf(every)) this.#due.set(name, filesOf(every));
    }
  }

  onTestModuleEnd(module: TestModule): void {
    const { name } = module.project;
    const ended = [...(this.#ended.get(name) ?? []), module];
    this.#ended.set(name, ended);
    if (ended.length === this.#due.get(name)) note(countsOf(name, ended));
  }
}

function note(counts: Counts): void {
  const last: { readonly projects: readonly Counts[] } = existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : { projects: [] };
  const others = last.projects.filter(({ project }) => project !== counts.project);
  const projects = [...others, counts].sort((a, b) => a.project.localeCompare(b.project));
  writeFileSync(file, `${JSON.stringify({ projects }, null, 2)}\n`);
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
