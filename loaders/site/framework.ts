/** Observable Framework as a library, kept quiet and off the network. */
import fs from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { fileURLToPath } from "node:url";
import { memoized } from "../memoized.js";
import { root } from "../project.js";

/**
 * Framework resolves its own files against the working directory, reports on stdout what nobody asked for, and warns of
 * packages that are as they are. What matters of its warnings, the check of the built site finds.
 */
export async function prepareFramework(debug: boolean): Promise<void> {
  process.chdir(root);
  await forgetTelemetry();
  shareWindow();
  watchLightly();
  if (debug) return;
  console.log = () => {};
  console.warn = () => {};
  process.stdout.write = () => true;
}

/** Even where it is switched off, it listens for signals, and ends the process before a command can end in order. */
async function forgetTelemetry(): Promise<void> {
  const { Telemetry } = await import("@observablehq/framework/dist/telemetry.js");
  Telemetry.record = () => {};
}

interface JsdomModule {
  JSDOM: new (html: string) => { readonly window: Pick<Window & typeof globalThis, "document" | "DOMParser"> };
}

/**
 * Framework parses each of the many pieces of a page in a browser's window of its own, whose making takes a quarter of a
 * build. It only ever uses the window's document, and one window can parse them all.
 */
function shareWindow(): void {
  const framework = fileURLToPath(import.meta.resolve("@observablehq/framework/dist/html.js"));
  const jsdom: JsdomModule = createRequire(framework)("jsdom");
  const { DOMParser } = new jsdom.JSDOM("").window;
  jsdom.JSDOM = class {
    readonly window;
    constructor(html: string) {
      this.window = { document: new DOMParser().parseFromString(html, "text/html"), DOMParser };
    }
  };
}

/** It goes on watching the files of pages that were left at once, which is no reason for a process to live on. */
function watchLightly(): void {
  const { watch } = fs;
  fs.watch = ((...watched: Parameters<typeof watch>) => watch(...watched).unref()) as typeof watch;
  syncBuiltinESMExports();
}

const lookUps = ["find", "getSourceFileHash", "getModuleHash", "getLocalModuleHash", "resolveImportPath"] as const;

/** For every page Framework looks for the same files and hashes the same modules; for a build each is looked at once. */
export function rememberLookUps(loaders: FrameworkLoaders): void {
  for (const name of lookUps) {
    const look: (path: string) => unknown = loaders[name].bind(loaders);
    Object.assign(loaders, { [name]: memoized(look) });
  }
}
