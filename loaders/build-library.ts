/** `npm run build:library`: the engine as plain JavaScript with declarations, in dist-library, for other packages. */
import { execFile } from "node:child_process";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { root } from "./project.js";

const output = join(root, "dist-library");
const draft = join(root, "dist-library.tmp");

await rm(draft, { recursive: true, force: true });
await mkdir(draft);
await build({
  entryPoints: { node: join(root, "loaders/library.ts") },
  outdir: draft,
  bundle: true,
  splitting: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: true,
  logLevel: "warning",
});
await build({
  entryPoints: { browser: join(root, "engine/library.ts") },
  outdir: draft,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "browser",
  target: "es2022",
  sourcemap: true,
  logLevel: "warning",
});
const types = ["tsc", "-p", "tsconfig.library.json", "--outDir", join(draft, "types")];
await promisify(execFile)("npx", ["--no-install", ...types], { cwd: root });
await rm(output, { recursive: true, force: true });
await rename(draft, output);
