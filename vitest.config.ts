import { defineConfig } from "vitest/config";

/** onnxruntime-node and our own locks live in processes, so tests do too. */
const pool = "forks";

export default defineConfig({
  test: {
    maxWorkers: 2,
    reporters: ["default", ...(process.env.OBSERVATORY_FULL ? ["./test/fault/reporter.ts"] : [])],
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], pool, testTimeout: 60_000 } },
      { test: { name: "golden", include: ["test/golden/**/*.test.ts"], pool, testTimeout: 60_000 } },
      { test: { name: "kernels", include: ["test/kernels/**/*.test.ts"], pool, testTimeout: 60_000 } },
      {
        test: {
          name: "cli",
          include: ["test/cli/**/*.test.ts", "test/library/**/*.test.ts"],
          pool,
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
          pool,
          fileParallelism: false,
          globalSetup: "test/browser/setup.ts",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
