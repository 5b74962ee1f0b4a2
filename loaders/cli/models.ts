import { copyFile, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { openCheckpoint } from "../../engine/checkpoint.js";
import { UserError } from "../../engine/errors.js";
import { Model } from "../../engine/model.js";
import { randomCheckpoint, weightsFile } from "../../engine/random-weights.js";
import { openTokenizer } from "../../engine/tokenizer.js";
import { openBackend } from "../devices.js";
import { fileSource } from "../files.js";
import { messages } from "../messages.js";
import { bundledModel } from "../project.js";
import { absent, writeFlushed } from "../store/system.js";
import { seed } from "./options.js";

/** What a control folder takes over from the model that it is a control for. */
const copied = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"];

export function addModels(program: Command): void {
  const models = program.command("models").description("make and check model folders").helpCommand(false);
  models
    .command("random")
    .description("write a control: the same architecture and tokenizer, with weights that have learned nothing")
    .argument("<folder>", "a new folder")
    .option("--like <folder>", "the model to be a control for", bundledModel)
    .option("--seed <n>", "of the weights", seed, 0)
    .action(async (folder: string, options: { like: string; seed: number }) => {
      await writeControl(resolve(folder), resolve(options.like), options.seed);
      console.log(folder);
    });
  models
    .command("check")
    .description("say whether a folder holds a model that experiments can run on")
    .argument("<folder>", "a Hugging Face checkpoint")
    .action(async (folder: string) => {
      for (const line of await checkModel(resolve(folder))) console.log(line);
    });
}

async function writeControl(folder: string, like: string, seed: number): Promise<void> {
  const existing = await readdir(folder).catch(absent);
  if (existing && existing.length > 0) throw new UserError(messages.folderNotEmpty(folder));
  const control = randomCheckpoint(await openCheckpoint(fileSource(like)), seed);
  await writeFlushed(join(folder, "model.safetensors"), await weightsFile(control));
  for (const file of copied) await copyFile(join(like, file), join(folder, file)).catch(absent);
  await writeFile(
    join(folder, "README.md"),
    `# Control\n\n${control.control}: ${like.split("/").at(-1)} with weights that have learned nothing.\n`,
  );
}

/** Opens everything and runs one token through it. @throws {UserError} where the folder cannot be used */
async function checkModel(folder: string): Promise<string[]> {
  const source = fileSource(folder);
  const checkpoint = await openCheckpoint(source);
  const tokenizer = await openTokenizer(source);
  const { family, layers, heads, headSize, width, vocabulary, contextLength } = checkpoint.architecture;
  const model = await Model.load(checkpoint, await openBackend("cpu"));
  await model.forward({ ids: tokenizer.prompt("\n") }, { logits: "last" });
  await model.release();
  return [
    `${folder}: ${family}, ${layers} layers × ${heads} heads × ${headSize}, width ${width}, ${vocabulary} tokens, context ${contextLength}`,
    `tokenizer: ${tokenizer.vocabulary} tokens, ${tokenizer.startToken === undefined ? "no start token" : `start token ${tokenizer.startToken}`}`,
    ...(checkpoint.control ? [`control: ${checkpoint.control}`] : []),
  ];
}
