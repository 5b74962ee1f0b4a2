import { afterEach, expect, test } from "vitest";
import type { Job } from "../../../loaders/runner/job.js";
import { type RunEvent, runJobs } from "../../../loaders/runner/run.js";

const { execPath } = process;
afterEach(() => {
  process.execPath = execPath;
});

test("jobs whose process cannot be started have failed, each by itself", async () => {
  process.execPath = "/nowhere/node";
  const resources = { cores: 1, memory: 0, gpus: 0 };
  const jobs = ["one", "other"].map((experiment): Job => ({ experiment, parameters: {}, inputs: {}, resources }));
  const events: RunEvent[] = [];
  const onEvent = (_: Job, event: RunEvent) => events.push(event);
  const signal = new AbortController().signal;
  const outcomes = await runJobs(jobs, { folder: "/nowhere", again: false, signal, onEvent });
  expect([...outcomes.values()]).toMatchObject([
    { failure: { message: expect.stringMatching(/^the process of one could not be run \(.*ENOENT/) } },
    { failure: { message: expect.stringMatching(/^the process of other could not be run \(.*ENOENT/) } },
  ]);
  expect(events.filter(({ type }) => type === "failed")).toHaveLength(2);
});
