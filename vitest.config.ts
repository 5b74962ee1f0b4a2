import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { full } from "./test/full.js";

/** onnxruntime-node and our own locks live in processes, so tests do too. */
const pool = "forks";

/** Most of a short file's time would be loading modules anew, or starting a browser. */
const shared = { pool, isolate: false } as const;

/** Long files first and short ones last, so that no core is idle at the end; browser tests have a site to wait for. */
const order = ["fault", "kernels", "golden", "cli", "browser", "unit"];

/** Keeps a lane at work for half of the whole time: it begins as soon as the site is likely to be there. */
const longest = "/test/browser/pages.test.ts";

class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification) =>
      moduleId.endsWith(longest) ? order.indexOf("kernels") : order.indexOf(project.name);
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    maxWorkers: Math.max(3, Math.floor(availableParallelism() / 2)), // commands wait, while browsers use two cores each
    sequence: { sequencer: Sequencer },
    reporters: ["default", ...(full ? ["./test/counts.ts", "./test/fault/reporter.ts"] : [])],
    tags: [
      {
        name: "wide",
        description: "costs much and seldom breaks by itself: not part of `npm test`, but of what a change must pass",
      },
    ],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          ...shared,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "golden",
          include: ["test/golden/**/*.test.ts"],
          pool,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // A GPU in software, beside three other lanes, compiles a shader in seconds, and takes minutes for the largest tiles.
      { test: { name: "kernels", include: ["test/kernels/**/*.test.ts"], pool, testTimeout: 600_000 } },
      {
        test: {
          name: "cli",
          include: ["test/cli/**/*.test.ts", "test/library/**/*.test.ts"],
          ...shared,
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: { name: "fault", include: ["test/fault/**/*.test.ts"], pool, testTimeout: 240_000, hookTimeout: 60_000 },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          ...shared,
          globalSetup: "test/browser/setup.ts",
          setupFiles: "test/browser/ready.ts",
          testTimeout: full ? 600_000 : 120_000, // all controls of a page take minutes
          hookTimeout: 120_000,
          retry: 1, // four at a time on two cores, a browser may be late; the summary counts what was tried again
        },
      },
    ],
  },
});
