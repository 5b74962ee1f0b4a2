/**
 * What a module is, as far as results depend on it: its code and all that it imports, transitively, from the module
 * graph. Bundled, tree-shaken and printed without comments, types and white space, so that only a change of meaning
 * changes the hash.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Metafile, Plugin } from "esbuild";
import { type CodeFound, remembered } from "./code-memory.js";
import { sha256 } from "./hash.js";

export interface Code {
  /** sha256 of the normalised bundle. */
  readonly hash: string;
  /** sha256 of every source file that the bundle took something from, by its path from the root. */
  readonly sources: Readonly<Record<string, string>>;
  /** What the bundle imports from packages, as it names it. */
  readonly packages: readonly string[];
  /** How the first of its modules, or one that it imports, can come to depend on more than code: one phrase each. */
  readonly unseen: readonly string[];
  /** The environment variables that the first of its modules, or one that it imports, reads; undefined for a computed name. */
  readonly variables: readonly (string | undefined)[];
}

/**
 * The code of several bundles, each given by the modules that it is made of (paths from `root`), in one pass over
 * their sources. A bundle that cannot be built rejects its own promise only.
 * @param cache where what is found is remembered
 */
export function codeOf<Name extends string>(
  root: string,
  bundles: Readonly<Record<Name, readonly string[]>>,
  cache: string,
): Record<Name, Promise<Code>> {
  const names = Object.keys(bundles) as Name[];
  const together = remembered(bundles, { root, cache }, () => bundle(root, bundles));
  const one = async (name: Name) => {
    const alone = async () => (await bundle(root, { [name]: bundles[name] })).found;
    const all = await together.catch(alone); // one broken module spoils a joint pass
    return all[name];
  };
  return Object.fromEntries(names.map((name) => [name, one(name)])) as Record<Name, Promise<Code>>;
}

async function bundle(
  root: string,
  bundles: Readonly<Record<string, readonly string[]>>,
): Promise<CodeFound<Record<string, Code>>> {
  const { build } = await import("esbuild"); // not needed while what is known is remembered
  const result = await build({
    entryPoints: Object.keys(bundles).map((name) => ({ in: `bundle:${name}`, out: name })),
    plugins: [entries(root, bundles)],
    absWorkingDir: root,
    outdir: root,
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "esnext",
    packages: "external",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    logLevel: "silent",
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  const hashes = new Map<string, Promise<string>>();
  const described = result.outputFiles.map(async ({ path, text }) => {
    const output = outputOf(result.metafile, root, path);
    const name = path.slice(root.length).replace(/^\/|\.js$/g, "");
    const modules = ownModules(result.metafile, name);
    const code = {
      hash: sha256(text),
      sources: await sources(root, output, hashes),
      packages: packages(output),
      unseen: unseen(result.metafile, modules, text),
      variables: /\bprocess\.env\b/.test(text) ? await variables(root, modules) : [],
    };
    return [name, code] as const;
  });
  const inputs = Object.keys(result.metafile.inputs).filter((input) => !input.startsWith("entry:"));
  return { found: Object.fromEntries(await Promise.all(described)), inputs };
}

type Output = Metafile["outputs"][string];

function outputOf(metafile: Metafile, root: string, path: string): Output {
  const output = Object.entries(metafile.outputs).find(([name]) => join(root, name) === path)?.[1];
  if (!output) throw new Error(`esbuild reported nothing about ${path}`);
  return output;
}

/** Entry points that import whole modules, so that every export of theirs counts as used. */
function entries(root: string, bundles: Readonly<Record<string, readonly string[]>>): Plugin {
  return {
    name: "entries",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^bundle:/ }, ({ path }) => ({ path: path.slice("bundle:".length), namespace: "entry" }));
      onLoad({ filter: /.*/, namespace: "entry" }, ({ path }) => ({
        contents: bundles[path]
          .map((module, i) => `export * as m${i} from ${JSON.stringify(`./${module}`)};`)
          .join("\n"),
        resolveDir: root,
      }));
    },
  };
}

async function sources(
  root: string,
  output: Output,
  hashes: Map<string, Promise<string>>,
): Promise<Record<string, string>> {
  const files = Object.entries(output.inputs).flatMap(([file, { bytesInOutput }]) =>
    bytesInOutput > 0 && !file.startsWith("entry:") ? [file] : [],
  );
  for (const file of files) if (!hashes.has(file)) hashes.set(file, readFile(join(root, file)).then(sha256));
  return Object.fromEntries(await Promise.all(files.sort().map(async (file) => [file, await hashes.get(file)!])));
}

function packages({ imports }: Output): string[] {
  const paths = imports.filter(({ path, external }) => external && !path.startsWith("node:")).map(({ path }) => path);
  return [...new Set(paths)].sort();
}

/** The first module of a bundle, and all that it imports: not what runs around it. */
function ownModules({ inputs }: Metafile, name: string): string[] {
  const [{ path }] = inputs[`entry:${name}`].imports;
  const visited = new Set([path]);
  // A set is gone through in the order of what is added, while it is added.
  for (const file of visited) {
    for (const { path, external } of inputs[file].imports) if (!external) visited.add(path);
  }
  return [...visited];
}

/** Node's modules that reach for files, other machines, and code that is not imported. */
const outside = /^(?:node:)?(?:child_process|dgram|dns|fs|http|http2|https|module|net|process|sqlite|tls)(?:\/|$)/;

/** Not what packages do: they are known by their versions. */
function unseen({ inputs }: Metafile, modules: readonly string[], text: string): string[] {
  const found = modules.flatMap((file) =>
    inputs[file].imports
      .filter(({ path, external }) => external && outside.test(path))
      .map(({ path }) => `${file} imports ${path}`),
  );
  // Of names that are literal, esbuild leaves strings of packages and nothing else.
  if (/\bimport\((?!["'])/.test(text)) found.push(`${modules[0]} imports a module by a name that is computed`);
  return found;
}

/** Names of environment variables that these modules read. */
async function variables(root: string, modules: readonly string[]): Promise<(string | undefined)[]> {
  const { transform } = await import("esbuild");
  const codes = modules
    .filter((file) => /\.[cm]?[jt]s$/.test(file))
    .map(async (file) => {
      const source = await readFile(join(root, file), "utf8");
      // Without comments, and env["NAME"] as env.NAME.
      return (await transform(source, { loader: "ts", minifySyntax: true, minifyWhitespace: true })).code;
    });
  const names = (await Promise.all(codes)).flatMap((code) =>
    [...code.matchAll(/\bprocess\.env\b(?:\??\.(\w+))?/g)].map(([, name]) => name as string | undefined),
  );
  return [...new Set(names)];
}
