/** What there is to compute: an experiment with everything that its result depends on, and the key of that result. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Device } from "../../engine/backend.js";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { UserError } from "../../engine/errors.js";
import type { Parameters, Resources } from "../experiment.js";
import { loadExperiment } from "../experiments/index.js";
import { fileSource } from "../files.js";
import { modelFolder } from "../hub/cache.js";
import { readJsonl } from "../inputs.js";
import { memoized } from "../memoized.js";
import { messages } from "../messages.js";
import { bundledModel, dataFolder, root, workFolder } from "../project.js";
import { codeOf } from "../store/code.js";
import { sha256 } from "../store/hash.js";
import { type Environment, type Identity, type KeyParts, keyOf } from "../store/key.js";
import { packageVersions } from "../store/packages.js";
import { absent } from "../store/system.js";

/** Nothing in it is left to a default. It can be sent to another process. */
export interface Job {
  readonly experiment: string;
  readonly parameters: Parameters;
  /** Path of the file behind each input. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Folder of the model, and where it runs; absent where the experiment reads records only. */
  readonly model?: string;
  readonly device?: Device;
  /** Part of a GPU's name, where one of several is meant; results are the same on all of them. */
  readonly adapter?: string;
  /** The environment variables that the experiment declares, as they were set. */
  readonly environment?: Environment;
  readonly resources: Required<Resources>;
}

export interface JobOptions {
  /** A folder, or the name of a pulled model. */
  readonly model?: string;
  readonly device?: Device;
  readonly adapter?: string;
  /** Replaces the experiment's first input. */
  readonly prompts?: string;
  /** Replaces parameters, by name. */
  readonly set?: Readonly<Record<string, string>>;
}

export async function jobOf(
  id: string,
  { model = bundledModel, device = "cpu", adapter, prompts, set = {} }: JobOptions = {},
): Promise<Job> {
  const { subject, inputs, parameters, environment = [], resources } = await loadExperiment(id);
  const target = subject === "model" ? { model: resolve(await modelFolder(model)), device, adapter } : {};
  if (prompts !== undefined) await refuseUnreadable(prompts, id, inputs);
  const files = Object.entries(inputs).map(([name, file], index) => {
    return [name, index === 0 && prompts ? resolve(prompts) : join(dataFolder, file)] as const;
  });
  return {
    experiment: id,
    parameters: override(id, parameters, set),
    inputs: Object.fromEntries(files),
    ...target,
    ...(environment.length > 0 ? { environment: valuesOf(environment) } : {}),
    resources: { ...defaultsOn(target.device), ...resources },
  };
}

function valuesOf(names: readonly string[]): Environment {
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? null]));
}

/** Memory is not guessed: an experiment that needs much declares it. */
function defaultsOn(device: Device | undefined): Required<Resources> {
  return { cores: 1, memory: 0, gpus: device === "cuda" || device === "webgpu" ? 1 : 0 };
}

async function refuseUnreadable(prompts: string, id: string, inputs: Readonly<Record<string, string>>): Promise<void> {
  if (Object.keys(inputs).length === 0) throw new UserError(messages.noPrompts(id));
  await readJsonl(resolve(prompts));
}

/** Texts to values of the type that each parameter has by default. */
function override(id: string, parameters: Parameters, set: Readonly<Record<string, string>>): Parameters {
  const replaced = Object.entries(set).map(([name, text]) => {
    if (!(name in parameters)) throw new UserError(messages.unknownParameter(id, name, Object.keys(parameters)));
    return [name, parse(id, name, text, parameters[name])] as const;
  });
  return { ...parameters, ...Object.fromEntries(replaced) };
}

function parse(id: string, name: string, text: string, like: Parameters[string]): Parameters[string] {
  if (Array.isArray(like)) {
    return text.split(",").map((item) => parse(id, name, item, like[0]) as string | number);
  }
  const refuse = (wanted: string): never => {
    throw new UserError(messages.badParameter(id, name, text, wanted));
  };
  switch (typeof like) {
    case "number":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : refuse("a number");
    case "boolean":
      return text === "true" || text === "false" ? text === "true" : refuse("true or false");
    default:
      return text;
  }
}

/** The module of an experiment, and what runs around it: a change in any of it can change the numbers. */
function modulesOf({ experiment, model, device }: Job): string[] {
  const around = ["runner/execute.ts", ...(model === undefined ? [] : ["runner/subject.ts", `devices/${device}.ts`])];
  return [`experiments/${experiment}.ts`, ...around].map((module) => `loaders/${module}`);
}

/**
 * The identity of each job, from the project as it lies on disk now; what jobs share is read once. One that has none
 * does not stop the others. A UserError among the reasons says that the model cannot be used.
 */
export function identify(jobs: readonly Job[]): Promise<PromiseSettledResult<Identity>[]> {
  const bundle = ({ experiment, device }: Job) => [experiment, device].filter(Boolean).join("@");
  const code = codeOf(root, Object.fromEntries(jobs.map((job) => [bundle(job), modulesOf(job)])), codeCache);
  const versionsOf = packageVersions({ root, cache: packageCache });
  const inputHash = memoized(hashInput);
  const modelHashes = memoized(hashModel);
  return Promise.allSettled(
    jobs.map(async (job) => {
      const inputs = Object.entries(job.inputs).map(async ([name, file]) => [name, await inputHash(file)] as const);
      const model = job.model === undefined ? undefined : modelHashes(job.model);
      const hashed = Promise.all([Promise.all(inputs), model]);
      const [{ hash, sources, packages, unseen, variables }, [inputHashes, hashes]] = await Promise.all([
        code[bundle(job)],
        hashed,
      ]);
      if (unseen.length > 0) throw new Error(messages.unseen(unseen[0]));
      for (const name of variables) {
        if (name === undefined || !(name in (job.environment ?? {}))) throw new Error(messages.undeclared(name));
      }
      const keyParts: KeyParts = {
        experiment: job.experiment,
        code: hash,
        packages: await versionsOf(packages),
        parameters: job.parameters,
        inputs: Object.fromEntries(inputHashes),
        ...(job.environment ? { environment: job.environment } : {}),
        ...(hashes ? { model: hashes, device: job.device, precision: "float32" } : {}),
      };
      return { key: keyOf(keyParts), keyParts, sources };
    }),
  );
}

/** The identity of one job. */
export async function identityOf(job: Job): Promise<Identity> {
  const [settled] = await identify([job]);
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

const codeCache = join(workFolder, "code");
const packageCache = join(workFolder, "packages");

async function hashInput(file: string): Promise<string> {
  const bytes = await readFile(file).catch(absent);
  if (!bytes) throw new Error(messages.missingFile(file));
  return sha256(bytes);
}

export async function hashModel(folder: string): Promise<NonNullable<KeyParts["model"]>> {
  const { hashes } = await openCheckpoint(fileSource(folder));
  const files = ["tokenizer.json", "tokenizer_config.json"].map((file) => readFile(join(folder, file)).catch(absent));
  const [tokenizer, settings] = await Promise.all(files);
  if (!tokenizer) throw new UserError(messages.noTokenizer(folder));
  return { ...hashes, tokenizer: sha256(sha256(tokenizer) + (settings ? sha256(settings) : "")) };
}
