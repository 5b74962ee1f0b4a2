/** The process of one computation without store and scheduler, to tell what these cost. It ends with its parent. */

import { openBackend } from "../devices.js";
import { loadExperiment } from "../experiments/index.js";
import { readJsonl } from "../inputs.js";
import { execute } from "../runner/execute.js";
import type { Job } from "../runner/job.js";
import { openSubject } from "../runner/subject.js";

process.once("disconnect", () => process.exit());
process.once("message", async (job: Required<Job>) => {
  const experiment = await loadExperiment(job.experiment);
  const inputs = Object.entries(job.inputs).map(async ([name, file]) => [name, await readJsonl(file)] as const);
  const encoders = await execute(experiment, {
    parameters: job.parameters,
    inputs: Object.fromEntries(await Promise.all(inputs)),
    progress: () => {},
    signal: new AbortController().signal,
    ...openSubject(job.model, await openBackend(job.device, { threads: job.resources.cores })),
  });
  process.send?.(
    [...encoders.values()].reduce((sum, { rows }) => sum + rows, 0),
    () => process.exit(),
  );
});
