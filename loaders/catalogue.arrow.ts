/**
 * The data loader of the page of all papers. Preview answers and build prepares the same table themselves; this is for
 * whoever runs Framework by itself.
 */
import { allPlans, freshResults } from "./catalogue/review.js";
import { servedCatalogue } from "./catalogue/table.js";
import { report, say } from "./terminal.js";

try {
  process.stdout.write(await servedCatalogue(await freshResults(await allPlans(say))));
} catch (error) {
  process.exitCode = report(error, false);
}
