/**
 * Our TypeScript as Node runs it. All modules are translated together, each to a file of its own, and kept in .code under
 * the hash of what they were made from: a process begins at once, and never with other code than the sources say.
 * Plain JavaScript, as everything is that runs before it.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(root, ".code");
const rooms = ["engine", "loaders"];
const config = "observablehq.config.ts"; // of the site, where there is one

const hour = 3_600_000; // ms
const kept = 24 * hour; // since it was last in use

/**
 * Loads one of our modules.
 * @param {string} name its path from the root
 */
export async function load(name) {
  process.setSourceMapsEnabled(true);
  const folder = await translation().catch(notKept);
  return import(pathToFileURL(folder ? join(folder, outputOf(name)) : join(root, name)).href);
}

/** Where nothing can be written, each module is translated when it is loaded. */
async function notKept(error) {
  if (!("syscall" in error)) throw error;
  const { register } = await import("tsx/esm/api");
  register();
}

const outputOf = (name) => name.replace(/\.ts$/, ".js");

/** The folder that holds all modules, translated. */
async function translation() {
  const names = [...rooms.flatMap(modules).sort(), ...(existsSync(join(root, config)) ? [config] : [])];
  const sources = new Map(names.map((name) => [name, readFileSync(join(root, name), "utf8")]));
  const hash = createHash("sha256");
  for (const name of ["package.json", "loaders/compiled.mjs"]) hash.update(readFileSync(join(root, name)));
  for (const [name, source] of sources) hash.update(`\0${name}\0${source}`);
  const folder = join(cache, hash.digest("hex").slice(0, 32));
  if (!existsSync(folder)) await translate(sources, folder);
  keep(folder);
  return folder;
}

function modules(room) {
  const files = readdirSync(join(root, room), { recursive: true });
  return files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts")).map((file) => join(room, file));
}

/** Several processes may do this at once: the first that is ready is taken. */
async function translate(sources, folder) {
  const { transform } = await import("esbuild");
  const translated = [...sources].map(async ([name, source]) => {
    const options = {
      loader: "ts",
      format: "esm",
      target: "node20",
      sourcefile: join(root, name),
      sourcemap: "inline",
      sourcesContent: false,
      logLevel: "silent",
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    };
    const code = await transform(source, options).then(
      ({ code }) => code,
      (error) => failing(error, source),
    );
    return [outputOf(name), code];
  });
  const outputs = await Promise.all(translated);
  const draft = `${folder}.${randomUUID()}`;
  try {
    for (const [name, code] of outputs) {
      mkdirSync(dirname(join(draft, name)), { recursive: true });
      writeFileSync(join(draft, name), code, { flush: true }); // or a power cut could leave a folder of empty files
    }
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  tidy();
}

/** A module that cannot be translated says why to those that import it, and stops no other. */
function failing({ message }, source) {
  const names = [...source.matchAll(/^export (?:async )?(?:const|let|class|function\*?) (\w+)/gm)].map(
    ([, name]) => name,
  );
  return `throw new SyntaxError(${JSON.stringify(message)});\n${names.map((name) => `export let ${name};\n`).join("")}`;
}

function tidy() {
  for (const name of readdirSync(cache)) {
    const other = join(cache, name);
    const { mtimeMs = Date.now() } = statSync(other, { throwIfNoEntry: false }) ?? {};
    if (Date.now() - mtimeMs > kept) rmSync(other, { recursive: true, force: true });
  }
}

/** While a process runs, it may still load modules. */
function keep(folder) {
  const touch = () => utimes(folder, new Date(), new Date()).catch(() => {}); // another user's is theirs to keep
  void touch();
  setInterval(touch, hour).unref();
}
