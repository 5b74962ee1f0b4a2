import { copyFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Architecture } from "../../engine/architecture.js";
import { openCheckpoint, readConfig } from "../../engine/checkpoint.js";
import { UserError } from "../../engine/errors.js";
import { memoryNeeded } from "../../engine/memory.js";
import { Model } from "../../engine/model.js";
import { randomCheckpoint, weightsFile } from "../../engine/random-weights.js";
import { openTokenizer, type Tokenizer } from "../../engine/tokenizer.js";
import { openBackend } from "../devices.js";
import { fileSource } from "../files.js";
import { modelFolder, pulledModels } from "../hub/cache.js";
import { hubEnvironment } from "../hub/environment.js";
import { hubName } from "../hub/name.js";
import { pull } from "../hub/pull.js";
import { messages } from "../messages.js";
import { byteSize } from "../meter.js";
import { bundledModel, modelName, projectPath } from "../project.js";
import { absent, writeFlushed } from "../store/system.js";
import { say, untilInterrupted } from "../terminal.js";

/** What a control folder takes over from the model that it is a control for. */
const copied = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"];

export interface ControlOptions {
  readonly like?: string;
  readonly seed: number;
}

/** @throws {UserError} where the folder is in use, or there is nothing to be a control for */
export async function writeControl(folder: string, { like = bundledModel, seed }: ControlOptions): Promise<void> {
  const original = await modelFolder(like);
  const existing = await readdir(folder).catch(absent);
  if (existing && existing.length > 0) throw new UserError(messages.folderNotEmpty(folder));
  const control = randomCheckpoint(await openCheckpoint(fileSource(original)), seed);
  await writeFlushed(join(folder, "model.safetensors"), await weightsFile(control));
  for (const file of copied) await copyFile(join(original, file), join(folder, file)).catch(absent);
  const card = `# Control\n\n${modelName(original)}, but with weights that have learned nothing: ${control.control}.\n`;
  await writeFile(join(folder, "README.md"), card);
  console.log(folder);
}

export interface CheckOptions {
  /** Length of the prompt to say the memory for; default: the longest that the model was trained on. */
  readonly tokens?: number;
}

/** Opens everything and runs one token through it. @throws {UserError} where the model cannot be used */
export async function checkModel(given: string, { tokens }: CheckOptions = {}): Promise<void> {
  const folder = await modelFolder(given);
  const source = fileSource(folder);
  const checkpoint = await openCheckpoint(source);
  const { architecture, control } = checkpoint;
  const tokenizer = (await source.size("tokenizer.json")) === undefined ? undefined : await openTokenizer(source);
  const model = await Model.load(checkpoint, await openBackend("cpu"));
  await model.forward({ ids: tokenizer?.prompt("\n") ?? Int32Array.of(0) }, { logits: "last" });
  await model.release();
  const length = tokens ?? architecture.contextLength;
  console.log(`${given}: ${describe(architecture)}`);
  console.log(`tokenizer: ${describeTokenizer(tokenizer, architecture)}`);
  console.log(`length: ${describeLength(architecture)}`);
  console.log(`memory: about ${byteSize(memoryNeeded(architecture, length))} for ${length} tokens on the processor`);
  if (control) console.log(`control: ${control}`);
}

const describeTokenizer = (tokenizer: Tokenizer | undefined, { vocabulary }: Architecture): string => {
  if (!tokenizer) return "none, so it takes token ids and no text";
  const { startToken } = tokenizer;
  const start = startToken === undefined ? "no start token" : `start token ${startToken}`;
  return `${tokenizer.vocabulary} of the model's ${vocabulary} tokens, ${start}`;
};

const describeLength = ({ positions, contextLength }: Architecture): string =>
  positions.kind === "learned"
    ? `at most ${contextLength} tokens, because positions come from a table`
    : `trained on ${contextLength} tokens; longer prompts run, with a warning`;

const describe = ({ family, layers, heads, headSize, width, contextLength }: Architecture): string =>
  `${family}, ${layers} layers of ${heads} heads of ${headSize}, width ${width}, context ${contextLength}`;

/** Fetches a model, and prints the folder of its snapshot. */
export async function pullModel(text: string): Promise<void> {
  const name = hubName(text);
  console.log(await pull(name, await hubEnvironment(), { signal: untilInterrupted(), say }));
}

/** Prints one line for each model: what to give to --model, what it is, and its folder. */
export async function listModels(): Promise<void> {
  const models = dirname(bundledModel);
  const bundled = (await readdir(models)).sort().map((name) => join(models, name));
  const pulled = await pulledModels();
  const rows = await Promise.all([
    ...bundled.map(async (folder) => [projectPath(folder), await summary(folder)]),
    ...pulled.map(async ({ name, revision, refs, folder }) => {
      const names = [...refs.map((ref) => (ref === "main" ? name : `${name}@${ref}`)), `${name}@${revision}`];
      return [names[0], `${await summary(folder)}, commit ${revision}`];
    }),
  ]);
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, what] of rows) console.log(`${name.padEnd(width)}  ${what}`);
}

/** What config.json says, or why it cannot be run. */
async function summary(folder: string): Promise<string> {
  try {
    return describe((await readConfig(fileSource(folder))).architecture);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `cannot be run: ${error.message}`;
  }
}
