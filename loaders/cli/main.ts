/** The command line: parses, hands over to the commands, and turns what they throw into one sentence and an exit code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Argument, Command, CommanderError } from "commander";
import { root, siteOutput } from "../project.js";
import { errorCode } from "../store/system.js";
import { exitCodes, report } from "../terminal.js";
import { assignment, device, oneOf, port, runner, seed, size, wholeNumber } from "./options.js";

const description = "Attention experiments on transformer checkpoints, and the site that shows their results.";

const exitCodesHelp = `
Exit codes: 0 all went well; 1 a job failed, or there is a defect; 2 something given cannot be used; 130 interrupted.`;

const hubHelp = `
HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what they mean to Hugging Face's libraries.`;

const modelOption = [
  "--model <model>",
  "a checkpoint's folder, or a pulled ORG/NAME[@revision] (default: the bundled model)",
] as const;
const portOption = ["--port <n>", "the next free one where it is taken", port, 3000] as const;
const hostOption = ["--host <address>", "who can reach it; 0.0.0.0 for everybody", "127.0.0.1"] as const;
const isolateOption = [
  "--isolate",
  "send the headers under which browsers give pages threads (COOP and COEP)",
] as const;

export async function main(argv: readonly string[]): Promise<void> {
  const debug = argv.includes("--debug");
  for (const event of ["unhandledRejection", "uncaughtException"]) {
    process.on(event, (error) => process.exit(errorCode(error) === "EPIPE" ? exitCodes.ok : report(error, debug))); // EPIPE: `… | head`
  }
  try {
    await programOf().parseAsync(argv);
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? commanderCode(error) : report(error, debug);
  }
}

/** Commander has printed what there is to say. */
function commanderCode({ exitCode }: CommanderError): number {
  return exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
}

/** Commands are loaded when they are used: help and refusals come at once. */
function programOf(): Command {
  const program = new Command("observatory")
    .description(description)
    .version(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version, "--version", "print the version")
    .helpOption("--help", "print this help")
    .helpCommand(false)
    .option("--debug", "show where errors come from, and what Framework says")
    .addHelpText("afterAll", exitCodesHelp)
    .exitOverride();
  const debug = () => Boolean(program.opts().debug);

  program
    .command("run")
    .description("run experiments, and print what their claims came to")
    .argument("[experiment...]", "which; default all")
    .option(...modelOption)
    .option("--prompts <file>", "JSONL records instead of the experiment's first input")
    .option("--device <name>", "cpu, cuda, wasm, webgpu[:NAME] or auto (default: cpu)", device)
    .option("--set <name=value>", "another value for a parameter; may be repeated", assignment)
    .option("--jobs <n>", "experiments at a time at most (default: as many as fit)", wholeNumber("--jobs"))
    .option(
      "--threads <n>",
      "cores and threads of each experiment (default: what it declares)",
      wholeNumber("--threads"),
    )
    .option("--runner <name>", "local, or slurm, which SBATCH_ variables configure (default: local)", runner)
    .option("--fresh", "compute again what is already there")
    .option("--save", "keep the results in data/results, from where they are committed")
    .option("--out <folder>", "copy the results there, one folder per experiment")
    .action(async (names, options) => {
      const { run } = await import("./run.js");
      process.exitCode = await run(names, options, debug());
    });

  program
    .command("status")
    .description("say which results are fresh, stale or missing, and why")
    .option(...modelOption)
    .option("--json", "as a JSON array of {experiment, model, key, state, reason, passport}")
    .action(async (options) => {
      const { status } = await import("./status.js");
      await status(options);
    });

  program
    .command("verify")
    .description("compute results again, and compare them with the stored ones number by number")
    .argument("[experiment...]", "which; default all")
    .option(...modelOption)
    .option("--device <name>", "cpu, cuda, wasm, webgpu[:NAME] or auto (default: cpu)", device)
    .option("--with <folder>", "compare what `run --out` has put there, from any device, instead of computing again")
    .option("--other-code", "with --with: take what other code has computed, too, and record which files of it differ")
    .option("--record <file>", "write how far every column and claim is apart, as JSON lines")
    .action(async (names, options) => {
      const { verify } = await import("./verify.js");
      process.exitCode = await verify(names, options, debug());
    });

  program
    .command("diff")
    .description("tell which committed numbers moved since a revision, by how much, and which change explains it")
    .argument("<revision>", "a commit, branch or tag of git")
    .argument("[experiment...]", "which; default all")
    .action(async (revision, names) => {
      const { diff } = await import("./diff.js");
      await diff(revision, names);
    });

  program
    .command("gc")
    .description("drop stored results that nothing refers to, the longest unused first")
    .option("--keep <size>", "as much as may stay, such as 500MB (default: 10GB)", size)
    .action(async (options) => {
      const { gc } = await import("./gc.js");
      await gc(options);
    });

  program
    .command("catalogue")
    .description("list the papers under review, and what came of each")
    .option(
      "--json",
      "as a JSON array of {line, slug, status, verdict, models, experiment, page, key, interval, n, definition}",
    )
    .action(async (options) => {
      const { catalogue } = await import("./catalogue.js");
      await catalogue(options);
    });

  program
    .command("preview")
    .description("serve the site while it is written, and compute what its pages ask for")
    .option(...modelOption)
    .option(...portOption)
    .option(...hostOption)
    .option(...isolateOption)
    .action(async (options) => {
      const { preview } = await import("../site/preview.js");
      await preview(options, debug());
    });

  program
    .command("build")
    .description("write the site to dist, if all its results are fresh")
    .option(...modelOption)
    .option("--run", "compute what is stale or missing first")
    .option("--allow-stale", "publish stale results, marked as such on their pages")
    .action(async (options) => {
      const { buildSite } = await import("../site/build.js");
      await buildSite(options, debug());
    });

  program
    .command("serve")
    .description("serve a site that was built")
    .argument("[folder]", "where it lies (default: dist)")
    .option(...portOption)
    .option(...hostOption)
    .option(...isolateOption)
    .action(async (folder, options) => {
      const { serve } = await import("../site/static.js");
      await serve(folder ?? siteOutput, options);
    });

  program
    .command("capture")
    .description("run a model over tokens, and write what its attention does into Arrow files")
    .option("--model <model>", "a checkpoint's folder, or a pulled ORG/NAME[@revision] (default: the bundled model)")
    .option("--text <text>", "the prompt")
    .option("--ids <file>", "or token ids as they are, in JSON: [[id, …], …]")
    .requiredOption("--out <folder>", "where statistics.arrow, received.arrow and the others go")
    .option("--device <name>", "cpu, cuda, wasm, webgpu[:NAME] or auto", device, "cpu")
    .option("--threads <n>", "of the processor (default: one per core)", wholeNumber("--threads"))
    .option("--rows <heads>", "write attention matrices too: all, or heads as LAYER.HEAD,… counted from 0")
    .option("--logits <which>", "last, all or none", oneOf("--logits", ["last", "all", "none"]), "last")
    .option(
      "--bos <when>",
      "auto puts the token before a text that the model was trained with, never does not",
      oneOf("--bos", ["auto", "never"]),
      "auto",
    )
    .option(
      "--dtype <type>",
      "f32, or f16 to round the weights to half precision; arithmetic stays in float32",
      oneOf("--dtype", ["f32", "f16"]),
      "f32",
    )
    .action(async (options) => {
      const { captureCommand } = await import("./capture.js");
      await captureCommand(options);
    });

  program
    .command("doctor")
    .description("say what this machine can run models on, and what auto would take and why")
    .option("--json", "as a JSON object")
    .action(async (options) => {
      const { doctor } = await import("./doctor.js");
      await doctor(options);
    });

  const bench = program
    .command("bench")
    .description("measure, and write what was measured to data/benchmarks")
    .helpCommand(false);
  bench
    .command("cpu")
    .description("memory and time of the engine on the processor: takes some ten minutes")
    .action(async () => {
      const { benchCpuCommand } = await import("./bench.js");
      process.exitCode = await benchCpuCommand();
    });

  bench
    .command("store")
    .description("what the store and the scheduler cost and save on this project: takes some five minutes")
    .action(async () => {
      const { benchStoreCommand } = await import("./bench.js");
      process.exitCode = await benchStoreCommand();
    });
  bench
    .command("site")
    .description(
      "how soon pages of the built site draw, how quickly they answer, and whether they hold still; needs Chromium",
    )
    .action(async () => {
      const { benchSiteCommand } = await import("./bench.js");
      process.exitCode = await benchSiteCommand();
    });

  bench
    .command("gpu")
    .description("time of the kernels and of whole models on the GPU, beside PyTorch where python3 has it")
    .action(async () => {
      const { benchGpuCommand } = await import("./bench.js");
      await benchGpuCommand();
    });

  program
    .command("selfcheck")
    .description("say whether the GPU's kernels give what float64 gives, and write it to data/benchmarks")
    .addArgument(new Argument("<device>").choices(["gpu"]))
    .action(async () => {
      const { selfCheckGpuCommand } = await import("./bench.js");
      process.exitCode = await selfCheckGpuCommand();
    });

  const models = program.command("models").description("fetch, list, check and make models").helpCommand(false);
  models
    .command("pull")
    .description("fetch a model from the hub into the cache that Hugging Face's libraries share, and print its folder")
    .argument("<name>", "ORG/NAME, or ORG/NAME@revision")
    .addHelpText("after", hubHelp)
    .action(async (name) => {
      const { pullModel } = await import("./models.js");
      await pullModel(name);
    });
  models
    .command("list")
    .description("list the models that are here: those of the project and those that were pulled")
    .action(async () => {
      const { listModels } = await import("./models.js");
      await listModels();
    });
  models
    .command("random")
    .description("write a control: the same architecture and tokenizer, with weights that have learned nothing")
    .argument("<folder>", "a new folder")
    .option("--like <model>", "the model to be a control for (default: the bundled model)")
    .option("--seed <n>", "of the weights", seed, 0)
    .action(async (folder, options) => {
      const { writeControl } = await import("./models.js");
      await writeControl(folder, options);
    });
  models
    .command("check")
    .description("say what model it is, and whether it can be run")
    .argument("<model>", "a checkpoint's folder, or a pulled ORG/NAME[@revision]")
    .option("--tokens <n>", "say how much memory a prompt of this length takes", wholeNumber("--tokens"))
    .action(async (model, options) => {
      const { checkModel } = await import("./models.js");
      await checkModel(model, options);
    });

  const make = program.command("new").description("start something of your own").helpCommand(false);
  make
    .command("experiment")
    .description("write an experiment, its page and its test, which run as they are and are there to be changed")
    .argument("<name>", "lower-case words and dashes")
    .option("--paper <slug>", "the paper of the catalogue that its claims are about")
    .action(async (name, options) => {
      const { newExperiment } = await import("./new.js");
      await newExperiment(name, options);
    });

  program
    .command("prompts")
    .description("write the generated inputs in data/prompts again, from their seeds")
    .action(async () => {
      const { writePrompts } = await import("./prompts.js");
      await writePrompts();
    });

  return program;
}
