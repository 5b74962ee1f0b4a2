import { copyFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { UserError } from "../../engine/errors.js";
import { Model } from "../../engine/model.js";
import { randomCheckpoint, weightsFile } from "../../engine/random-weights.js";
import { openTokenizer } from "../../engine/tokenizer.js";
import { openBackend } from "../devices.js";
import { fileSource } from "../files.js";
import { messages } from "../messages.js";
import { bundledModel, modelName } from "../project.js";
import { absent, writeFlushed } from "../store/system.js";

/** What a control folder takes over from the model that it is a control for. */
const copied = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"];

export interface ControlOptions {
  readonly like?: string;
  readonly seed: number;
}

/** @throws {UserError} where the folder is in use, or there is nothing to be a control for */
export async function writeControl(folder: string, { like = bundledModel, seed }: ControlOptions): Promise<void> {
  const existing = await readdir(folder).catch(absent);
  if (existing && existing.length > 0) throw new UserError(messages.folderNotEmpty(folder));
  const control = randomCheckpoint(await openCheckpoint(fileSource(like)), seed);
  await writeFlushed(join(folder, "model.safetensors"), await weightsFile(control));
  for (const file of copied) await copyFile(join(like, file), join(folder, file)).catch(absent);
  const card = `# Control\n\n${modelName(like)}, but with weights that have learned nothing: ${control.control}.\n`;
  await writeFile(join(folder, "README.md"), card);
  console.log(folder);
}

/** Opens everything and runs one token through it. @throws {UserError} where the folder cannot be used */
export async function checkModel(folder: string): Promise<void> {
  const source = fileSource(folder);
  const checkpoint = await openCheckpoint(source);
  const tokenizer = await openTokenizer(source);
  const { family, layers, heads, headSize, width, vocabulary, contextLength } = checkpoint.architecture;
  const model = await Model.load(checkpoint, await openBackend("cpu"));
  await model.forward({ ids: tokenizer.prompt("\n") }, { logits: "last" });
  await model.release();
  const start = tokenizer.startToken === undefined ? "no start token" : `start token ${tokenizer.startToken}`;
  console.log(
    `${folder}: ${family}, ${layers} layers of ${heads} heads of ${headSize}, width ${width}, context ${contextLength}`,
  );
  console.log(`tokenizer: ${tokenizer.vocabulary} of the model's ${vocabulary} tokens, ${start}`);
  if (checkpoint.control) console.log(`control: ${checkpoint.control}`);
}
