/** The published site: built into a staging folder, checked, and only then put in the place of the last good one. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { root, siteCache, siteConfig, siteOutput, workFolder } from "../project.js";

const staging = join(workFolder, "site");
const previous = join(workFolder, "site-before");

export async function buildSite(): Promise<void> {
  process.env.OBSERVABLE_TELEMETRY_DISABLE = "1";
  process.chdir(root); // Framework resolves its own client files against the working directory
  const { readConfig } = await import("@observablehq/framework/dist/config.js");
  const { build, FileBuildEffects } = await import("@observablehq/framework/dist/build.js");
  const config = await readConfig(siteConfig);
  config.output = staging;
  const log: string[] = [];
  const logger = { log: () => {}, warn: (text: string) => log.push(text), error: (text: string) => log.push(text) };
  await build({ config }, new FileBuildEffects(staging, siteCache, { logger, output: { write: () => {} } }));
  await rm(previous, { recursive: true, force: true });
  await rename(siteOutput, previous).catch(absent);
  await rename(staging, siteOutput);
}

function absent(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
