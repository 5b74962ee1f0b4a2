import { Command } from "commander";
import { UserError } from "../../engine/errors.js";

export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("observatory").option("--debug");
  program
    .command("preview")
    .option("--port <port>", "", Number, 3000)
    .option("--host <host>", "", "127.0.0.1")
    .action(async (options) => {
      const { startPreview } = await import("../site/preview.js");
      const { address } = await startPreview(options);
      console.error(address);
    });
  program.command("build").action(async () => {
    const { buildSite } = await import("../site/build.js");
    await buildSite();
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`observatory: ${error.message}`);
    process.exitCode = 2;
  }
}
