/**
 * The site's own modules, joined. Framework gives each module a file: a page would ask for some forty of them, and a
 * worker, which names nothing ahead, for more than eighty, one depth of imports after the other.
 */
import { readFile, rm } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { memoized } from "../memoized.js";
import { browsers } from "./libraries.js";

/** Where Framework puts them, below the site. */
const folder = "_import";

/** Of a file below the site: whether it is a module of the site's own, and no package and no part of Framework. */
export const isOwnModule = (file: string) => file.startsWith(`${folder}/`) && file.endsWith(".js");

/** What pages of one kind import: a module that has each of theirs as a namespace. */
export interface JoinedModules {
  /** Below the site. */
  readonly file: string;
  /** All that is loaded with it, itself included, below the site. */
  readonly needs: readonly string[];
}

/** Of _import/components/figure.b7f54a15.js: components/figure. */
const nameOf = (file: string) => relative(folder, file).replace(/\.\w+\.js$/, "");

/** As modules and pages name files: ./… or ../… */
export const addressFrom = (base: string, file: string) => relative(base, file).replace(/^(?!\.)/, "./");

const importInPage = /\bimport\("((?:\.\.?\/)+_import\/[^"]+\.js)"\)/g;

/** The script of a page in the folder `base`, below the site, with its imports from the joined modules. */
export function fromJoined(script: string, base: string, { file }: JoinedModules): string {
  return script.replace(importInPage, (_, address) => {
    const [from, name] = [addressFrom(base, file), nameOf(join(base, address))];
    return `import(${JSON.stringify(from)}).then((modules) => modules[${JSON.stringify(name)}])`;
  });
}

/** Pages without charts need not load what charts are drawn with. */
const kindOf = (imported: readonly string[]) =>
  imported.map(nameOf).includes("components/figure") ? "charts" : "tools";

/**
 * Joins what pages import, and what each of their workers does, and removes the single modules.
 * @returns for each page that imports any, what it is to load instead
 */
export async function joinModules(site: string, pages: readonly string[]): Promise<Map<string, JoinedModules>> {
  const imported = new Map<string, Set<string>>(); // by the kind of page
  const kinds = new Map<string, string>();
  for (const page of pages) {
    const addresses = (await readFile(join(site, page), "utf8")).matchAll(importInPage);
    const files = Array.from(addresses, ([, address]) => join(dirname(page), address));
    if (files.length === 0) continue;
    const kind = kindOf(files);
    kinds.set(page, kind);
    imported.set(kind, new Set([...(imported.get(kind) ?? []), ...files]));
  }
  if (kinds.size === 0) return new Map();
  const modules = await bundle(site, imported);
  return new Map(Array.from(kinds, ([page, kind]) => [page, modules.get(kind)!]));
}

async function bundle(
  site: string,
  imported: ReadonlyMap<string, Iterable<string>>,
): Promise<Map<string, JoinedModules>> {
  const single = new Set<string>();
  const run = async (options: BuildOptions): Promise<Metafile["outputs"]> => {
    const { metafile } = await build({ ...options, ...optionsFor(site), metafile: true });
    for (const file of Object.keys(metafile.inputs).filter(isOwnModule)) single.add(file);
    return metafile.outputs;
  };
  const worker = memoized(async (file: string) => {
    const entryPoints = [{ in: file, out: basename(nameOf(file)) }];
    return Object.keys(await run({ entryPoints, plugins: [relocated(site)] }))[0];
  });
  const texts = new Map(Array.from(imported, ([kind, files]) => [kind, [...files].sort().map(exportOf).join("")]));
  const outputs = await run({
    entryPoints: Array.from(texts.keys(), (kind) => ({ in: kind, out: kind })),
    splitting: true,
    plugins: [written(site, texts), relocated(site, worker)],
  });
  await Promise.all(Array.from(single, (file) => rm(join(site, file))));
  const entries = Object.entries(outputs).flatMap(([file, { entryPoint }]) => {
    const [, kind] = /^written:(.*)/.exec(entryPoint ?? "") ?? [];
    return kind ? [[kind, { file, needs: [...needsOf(file, outputs)] }] as const] : [];
  });
  return new Map(entries);
}

const optionsFor = (site: string) =>
  ({
    absWorkingDir: site,
    outdir: folder,
    entryNames: "[name].[hash]",
    chunkNames: "[name].[hash]",
    bundle: true,
    minify: true,
    format: "esm",
    target: browsers,
    tsconfigRaw: {},
    logLevel: "silent",
  }) satisfies BuildOptions;

const exportOf = (file: string) =>
  `export * as ${JSON.stringify(nameOf(file))} from ${JSON.stringify(addressFrom(folder, file))};\n`;

/** Modules of which no file has the text. */
function written(site: string, texts: ReadonlyMap<string, string>): Plugin {
  return {
    name: "written",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /.*/ }, ({ path, kind }) =>
        kind === "entry-point" ? { path, namespace: "written" } : undefined,
      );
      onLoad({ filter: /.*/, namespace: "written" }, ({ path }) => ({
        contents: texts.get(path),
        resolveDir: join(site, folder),
      }));
    },
  };
}

/** Addresses that depend on where a module is, made to be right where the joined modules are. */
function relocated(site: string, worker?: (file: string) => Promise<string>): Plugin {
  const below = (base: string, address: string) => relative(site, join(base, address));
  return {
    name: "relocated",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
        const file = below(resolveDir, path);
        return isOwnModule(file) ? undefined : { path: addressFrom(folder, file), external: true };
      });
      onLoad({ filter: /\.js$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        const files = new Map<string, string>();
        for (const [, address] of text.matchAll(resolution)) {
          const file = below(dirname(path), address);
          files.set(address, worker && isOwnModule(file) ? await worker(file) : file);
        }
        const here = addressFrom(folder, relative(site, path));
        const contents = text
          .replace(resolution, (_, address) => `import.meta.resolve("${addressFrom(folder, files.get(address)!)}")`)
          .replaceAll("import.meta.url", `new URL("${here}", import.meta.url).href`);
        return { contents };
      });
    },
  };
}

const resolution = /\bimport\.meta\.resolve\(\s*"(\.\.?\/[^"\n]+)"\s*\)/g;

function needsOf(file: string, outputs: Metafile["outputs"], found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const { path, kind, external } of outputs[file]?.imports ?? []) {
    if (kind === "import-statement") needsOf(external ? join(folder, path) : path, outputs, found);
  }
  return found;
}
