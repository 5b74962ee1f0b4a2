/** The parts of Observable Framework 1.13.4 that we call; the package ships no types. */
interface FrameworkConfig {
  root: string;
  output: string;
  readonly pages: readonly { readonly name: string; readonly path: string }[];
  /** "/index", "/entropy" … */
  paths(): AsyncIterable<string>;
  readonly loaders: FrameworkLoaders;
}

interface FrameworkLoaders {
  loadPage(path: string, options: FrameworkConfig & { path: string }): Promise<{ readonly body: string }>;
  find(path: string): unknown;
  getSourceFileHash(path: string): string;
  getModuleHash(path: string): string;
  getLocalModuleHash(path: string): Promise<string>;
  resolveImportPath(path: string): string;
}

declare module "@observablehq/framework/dist/config.js" {
  export function readConfig(path: string, root?: string): Promise<FrameworkConfig>;
}

declare module "@observablehq/framework/dist/build.js" {
  interface Effects {
    logger: Pick<Console, "log" | "warn" | "error">;
    output: { write(text: string): void };
  }
  export class FileBuildEffects {
    constructor(output: string, cache: string, effects: Effects);
  }
  export function build(options: { config: FrameworkConfig }, effects: FileBuildEffects): Promise<void>;
}

declare module "@observablehq/framework/dist/preview.js" {
  export class PreviewServer {
    constructor(options: { config: string; root?: string; server: import("node:http").Server; verbose: boolean });
  }
}

declare module "@observablehq/framework/dist/telemetry.js" {
  export const Telemetry: { record(event: object): void };
}
