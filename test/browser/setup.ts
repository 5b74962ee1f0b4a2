/** Builds the site once for all browser tests, or takes the one that OBSERVATORY_SITE names, and serves it. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { ensureChromium } from "./chromium.js";
import { serveStatic } from "./static-server.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Address of the built site, under a sub-path. */
    site: string;
    /** The folder that holds it. */
    folder: string;
  }
}

const root = fileURLToPath(new URL("../../", import.meta.url));

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  ensureChromium();
  const folder = process.env.OBSERVATORY_SITE ?? (await build());
  const server = await serveStatic(folder, "/reports/observatory/");
  provide("site", server.address);
  provide("folder", folder);
  return () => server.close();
}

async function build(): Promise<string> {
  await promisify(execFile)(process.execPath, ["loaders/observatory.mjs", "build"], { cwd: root });
  return `${root}dist`;
}
