/** What modules import, statically or by a literal address, as a parser sees it. */
import { build, type Plugin } from "esbuild";

/** Addresses by the name of the module that asks for them. */
export async function importsOf(modules: ReadonlyMap<string, string>): Promise<Map<string, string[]>> {
  const found = new Map([...modules].map(([name, text]) => [name, resolutions(text)]));
  const collect: Plugin = {
    name: "collect",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
        if (kind === "entry-point") return { path, namespace: "module" };
        found.get(importer.replace(/^module:/, ""))?.push(path);
        return { path, external: true };
      });
      onLoad({ filter: /.*/, namespace: "module" }, ({ path }) => ({ contents: modules.get(path), loader: "js" }));
    },
  };
  await build({
    entryPoints: [...modules.keys()].map((name, i) => ({ in: name, out: String(i) })),
    outdir: "/",
    bundle: true,
    write: false,
    format: "esm",
    logLevel: "silent",
    plugins: [collect],
  });
  return found;
}

/** Addresses of files that are not modules are resolved against the module. */
function resolutions(text: string): string[] {
  return [...text.matchAll(/import\.meta\.resolve\(\s*["']([^"'\n]+)["']/g)].map(([, address]) => address);
}
