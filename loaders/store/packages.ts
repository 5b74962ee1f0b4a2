/** Versions of the packages that code runs through: those that it imports, and those that they import in turn. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "./hash.js";
import { absent, replaceFile, unwritten } from "./system.js";

interface Lockfile {
  readonly hash: string;
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
}

async function readLockfile(root: string): Promise<Lockfile> {
  const text = await readFile(join(root, "package-lock.json"), "utf8");
  return { hash: sha256(text), packages: JSON.parse(text).packages };
}

/** By import specifier: the places in the tree where npm put the packages behind it, as the lockfile names them. */
type Reach = Readonly<Record<string, readonly string[]>>;

export interface PackageOptions {
  readonly root: string;
  /** Where the module graphs of packages are remembered; they change with the lockfile only. */
  readonly cache: string;
}

/**
 * Finds versions by package, with the path of a package that another one has a version of its own of. The lockfile is
 * read once for all that is asked.
 */
export function packageVersions({
  root,
  cache,
}: PackageOptions): (specifiers: readonly string[]) => Promise<Record<string, string>> {
  let lockfile: Promise<Lockfile> | undefined;
  return async (specifiers) => {
    lockfile ??= readLockfile(root);
    const { hash, packages } = await lockfile;
    const memory = join(cache, `${hash}.json`);
    const known: Reach = JSON.parse((await readFile(memory, "utf8").catch(absent)) ?? "{}");
    const unknown = specifiers.filter((specifier) => !(specifier in known));
    const reach = unknown.length === 0 ? known : { ...known, ...(await reachOf(unknown, root)) };
    if (reach !== known) await replaceFile(memory, JSON.stringify(reach)).catch(unwritten);
    const places = [...new Set(specifiers.flatMap((specifier) => reach[specifier]))].sort();
    return Object.fromEntries(
      places.map((place) => [place.slice("node_modules/".length), packages[place]?.version ?? ""]),
    );
  };
}

/** From the module graph of each package; native and WebAssembly code is known by its package's version. */
async function reachOf(specifiers: readonly string[], root: string): Promise<Reach> {
  const { build } = await import("esbuild"); // not needed while what is known is remembered
  const { metafile } = await build({
    entryPoints: specifiers.map((specifier, i) => ({ in: specifier, out: String(i) })),
    absWorkingDir: root,
    outdir: root,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "esm",
    logLevel: "silent",
    loader: { ".node": "empty", ".wasm": "empty" },
  });
  return Object.fromEntries(
    specifiers.map((specifier, i) => {
      const places = Object.keys(metafile.outputs[`${i}.js`].inputs).flatMap((file) => placeOf(file) ?? []);
      return [specifier, [...new Set(places)]];
    }),
  );
}

/** "node_modules/a/node_modules/b" of a file in that package, wherever the outermost node_modules lies. */
function placeOf(file: string): string | undefined {
  const inner = file.slice(Math.max(0, file.indexOf("node_modules/")));
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(inner)?.[0];
}
