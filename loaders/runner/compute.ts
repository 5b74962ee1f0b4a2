/** Computes one job in this process and puts the result under its key, with a passport that says how it came to be. */
import { isDeepStrictEqual } from "node:util";
import type { Backend } from "../../engine/backend.js";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { openBackend } from "../devices.js";
import type { Context, Experiment } from "../experiment.js";
import { loadExperiment } from "../experiments/index.js";
import { fileSource } from "../files.js";
import { pulledModel } from "../hub/cache.js";
import { readJsonl } from "../inputs.js";
import { messages } from "../messages.js";
import { modelName, publicPath } from "../project.js";
import { sha256 } from "../store/hash.js";
import type { Identity } from "../store/key.js";
import { type ModelRecord, type Passport, stableMetadata } from "../store/passport.js";
import type { Result } from "../store/result.js";
import { Store } from "../store/store.js";
import { accuracyOf } from "./accuracy.js";
import { execute } from "./execute.js";
import { checkStream } from "./gate.js";
import { hashModel, identityOf, type Job } from "./job.js";
import { checkout, machine, packageVersion, peakMemory } from "./provenance.js";
import { openSubject } from "./subject.js";

export interface ComputeOptions {
  /** Where the store lies. */
  readonly folder: string;
  readonly threads: number;
  /** Compute it even where it is stored. */
  readonly again: boolean;
  readonly signal: AbortSignal;
  readonly progress: Context<never>["progress"];
  /** Called where another process is computing the same. */
  readonly onWait: () => void;
  readonly warn: (message: string) => void;
}

type Work = Pick<ComputeOptions, "threads" | "signal" | "progress">;

export async function compute(job: Job, { folder, again, onWait, warn, ...work }: ComputeOptions): Promise<Result> {
  const identity = await identityOf(job);
  return new Store(folder, warn).compute(identity.key, () => produce(job, identity, work), {
    again,
    onWait,
    signal: work.signal,
  });
}

async function produce(job: Job, identity: Identity, { threads, signal, progress }: Work) {
  const date = new Date().toISOString();
  const start = performance.now();
  const experiment = await loadExperiment(job.experiment);
  const backend = job.model === undefined ? undefined : await openBackend(deviceName(job), { threads });
  const inputs = await readInputs(job);
  // What is loaded now is what was hashed, unless it changed in between. Later edits do not reach this process.
  if ((await identityOf(job)).key !== identity.key) throw new Error(messages.changedMeanwhile(job.experiment));
  const subject = subjectOf(job, backend);
  const accuracy = backend && (await accuracyOf(await subject.model()));
  const context = { parameters: job.parameters, inputs, progress, signal, ...subject };
  const encoders = await execute(experiment, context);
  if (job.model !== undefined && !isDeepStrictEqual(await hashModel(job.model), identity.keyParts.model)) {
    throw new Error(messages.modelChanged(job.model));
  }
  const metadata = stableMetadata({ key: identity.key, experiment: job.experiment });
  const tables = new Map([...encoders].map(([name, encoder]) => [name, encoder.finish(metadata)]));
  for (const [name, bytes] of tables) {
    checkStream(bytes, `table ${name} of ${job.experiment}`, encoders.get(name)?.table);
  }
  const passport: Passport = {
    key: identity.key,
    ...about(experiment, job),
    ...(job.model === undefined ? {} : { model: await modelRecord(job.model) }),
    ...(backend ? { device: { name: backend.device, precision: "float32", ...backend.description }, accuracy } : {}),
    machine: machine(),
    versions: { node: process.versions.node, "attention-observatory": await packageVersion() },
    ...(await checkout()),
    date,
    seconds: (performance.now() - start) / 1000,
    peakMemoryBytes: peakMemory(),
    tables: Object.fromEntries(
      [...tables].map(([name, bytes]) => [
        name,
        { rows: encoders.get(name)?.rows ?? 0, bytes: bytes.length, sha256: sha256(bytes) },
      ]),
    ),
    keyParts: identity.keyParts,
    sources: identity.sources,
  };
  return { passport, tables };
}

function about({ title, question }: Experiment, { experiment, parameters, inputs }: Job) {
  return {
    experiment,
    title,
    question,
    parameters,
    ...(typeof parameters.seed === "number" ? { seed: parameters.seed } : {}),
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, file]) => [name, publicPath(file)])),
  };
}

function deviceName({ device = "cpu", adapter }: Job): string {
  return adapter === undefined ? device : `${device}:${adapter}`;
}

async function readInputs({ inputs }: Job): Promise<Record<string, unknown[]>> {
  const read = Object.entries(inputs).map(async ([name, file]) => [name, await readJsonl(file)] as const);
  return Object.fromEntries(await Promise.all(read));
}

function subjectOf({ experiment, model }: Job, backend: Backend | undefined): ReturnType<typeof openSubject> {
  if (model !== undefined && backend) return openSubject(model, backend);
  const none = () => Promise.reject(new Error(messages.noSubject(experiment)));
  return { model: none, control: none, tokenizer: none };
}

async function modelRecord(folder: string): Promise<ModelRecord> {
  const { control } = await openCheckpoint(fileSource(folder));
  return {
    name: modelName(folder),
    ...pulledModel(folder),
    folder: publicPath(folder),
    ...(control === undefined ? {} : { control }),
  };
}
