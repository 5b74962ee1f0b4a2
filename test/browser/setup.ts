/**
 * Builds the site once for all browser tests, or takes the one that OBSERVATORY_SITE names, and serves it below a path
 * and at a root. Other tests run meanwhile: the servers answer once the site is there.
 */
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
    /** The same at the root of its host. */
    root: string;
  }
}

interface Site {
  readonly folder: string;
  /** Rejects with what the build said. */
  readonly built: Promise<void>;
  readonly stop: () => void;
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<unknown>> {
  ensureChromium();
  const given = process.env.OBSERVATORY_SITE;
  const { folder, built, stop } = given ? { folder: given, built: Promise.resolve(), stop: () => {} } : build();
  const [site, root] = await Promise.all([
    serveStatic(folder, "/reports/observatory/", built),
    serveStatic(folder, "/", built),
  ]);
  provide("site", site.address);
  provide("root", root.address);
  return () => {
    stop();
    return Promise.all([site.close(), root.close()]);
  };
}

function build(): Site {
  const checkout = fileURLToPath(new URL("../../", import.meta.url));
  const command = promisify(execFile)(process.execPath, ["loaders/observatory.mjs", "build"], { cwd: checkout });
  const built = command.then(
    () => undefined,
    ({ stderr }: { readonly stderr: string }) => {
      throw new Error(`There is no site to test. ${stderr}`);
    },
  );
  return { folder: `${checkout}dist`, built, stop: () => command.child.kill() };
}
