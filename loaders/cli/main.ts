/** The command line: parses, hands over to the commands, and turns what they throw into one sentence and an exit code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { root } from "../project.js";
import { exitCodes, report } from "../terminal.js";
import { addModels } from "./models.js";
import { addPrompts } from "./prompts.js";
import { addRun } from "./run.js";
import { addSite } from "./site.js";
import { addStatus } from "./status.js";

const description = "Attention experiments on transformer checkpoints, and the site that shows their results.";

const exitCodesHelp = `
Exit codes: 0 all went well; 1 a job failed, or there is a defect; 2 something given cannot be used; 130 interrupted.`;

export async function main(argv: readonly string[]): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const program = new Command("observatory")
    .description(description)
    .version(version, "--version", "print the version")
    .helpOption("--help", "print this help")
    .helpCommand(false)
    .option("--debug", "show where errors come from, and what Framework says")
    .addHelpText("afterAll", exitCodesHelp)
    .exitOverride();
  for (const add of [addRun, addStatus, addSite, addModels, addPrompts]) add(program);
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? commanderCode(error) : report(error, argv.includes("--debug"));
  }
}

/** Commander has printed what there is to say. */
function commanderCode({ exitCode }: CommanderError): number {
  return exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
}
