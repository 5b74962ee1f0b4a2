import { relative, resolve } from "node:path";
import type { Command } from "commander";
import { root, siteOutput } from "../project.js";
import { say, untilInterrupted } from "../terminal.js";
import { port } from "./options.js";

const defaultPort = 3000;

export function addSite(program: Command): void {
  const model = ["--model <folder>", "show another model's results (default: the bundled model)"] as const;
  const portOption = ["--port <n>", "the next free one where it is taken", port, defaultPort] as const;
  const host = ["--host <address>", "who can reach it; 0.0.0.0 for everybody", "127.0.0.1"] as const;

  program
    .command("preview")
    .description("serve the site while it is written, and compute what its pages ask for")
    .option(...model)
    .option(...portOption)
    .option(...host)
    .action(async (options: { model?: string; port: number; host: string }) => {
      const { preview } = await import("../site/preview.js");
      await preview({ ...options, debug: Boolean(program.opts().debug), signal: untilInterrupted() });
    });
  program
    .command("build")
    .description("compute what is missing, and write the site to dist")
    .option(...model)
    .action(async (options: { model?: string }) => {
      const { buildSite } = await import("../site/build.js");
      await buildSite({ ...options, debug: Boolean(program.opts().debug), signal: untilInterrupted() });
    });
  program
    .command("serve")
    .description("serve a site that was built")
    .argument("[folder]", "where it lies", relative(process.cwd(), siteOutput) || root)
    .option(...portOption)
    .option(...host)
    .action(async (folder: string, options: { port: number; host: string }) => {
      const { serve } = await import("../site/static.js");
      const { address } = await serve(resolve(folder), options.host, options.port);
      say(address);
    });
}
