/** The data loader of the page of benchmarks. */
import { benchmarkTable } from "./bench/table.js";
import { report } from "./terminal.js";

try {
  process.stdout.write(await benchmarkTable());
} catch (error) {
  process.exitCode = report(error, false);
}
