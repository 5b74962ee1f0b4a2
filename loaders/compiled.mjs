/**
 * Our TypeScript as Node runs it. All modules are translated together, each to a file of its own, and kept in .code under
 * the hash of what they were made from: a process begins at once, and never with other code than the sources say.
 * Plain JavaScript, as everything is that runs before it.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { utimes } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
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
  const settings = hash(
    ...["package.json", "loaders/compiled.mjs"].map((name) => readFileSync(join(root, name), "utf8")),
  );
  const hashes = Object.fromEntries([...sources].map(([name, source]) => [name, hash(settings, name, source)]));
  const folder = join(cache, hash(...Object.values(hashes)));
  if (!existsSync(folder)) await translate(sources, hashes, folder);
  keep(folder);
  return folder;
}

function modules(room) {
  const files = readdirSync(join(root, room), { recursive: true });
  return files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts")).map((file) => join(room, file));
}

function hash(...texts) {
  return createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 32);
}

/** In a translation, the hashes of what its modules were made from. */
const made = "made.json";

/** Several processes may do this at once: the first that is ready is taken. What has not changed is the last one's. */
async function translate(sources, hashes, folder) {
  const last = lastTranslation();
  const isKnown = (name) => last?.hashes[name] === hashes[name];
  const changed = [...sources].filter(([name]) => !isKnown(name));
  const outputs = await Promise.all(changed.map(async ([name, source]) => [name, await translated(name, source)]));
  const draft = `${folder}.${randomUUID()}`;
  try {
    for (const room of new Set([...sources.keys()].map(dirname))) mkdirSync(join(draft, room), { recursive: true });
    for (const [name, code] of outputs) write(join(draft, outputOf(name)), code);
    for (const name of [...sources.keys()].filter(isKnown))
      take(join(last.folder, outputOf(name)), join(draft, outputOf(name)));
    write(join(draft, made), JSON.stringify(hashes));
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  tidy();
}

/** The translation that was in use last, if there is one. */
function lastTranslation() {
  const folders = existsSync(cache) ? readdirSync(cache).map((name) => join(cache, name)) : [];
  const dated = folders
    .filter((folder) => existsSync(join(folder, made)))
    .map((folder) => ({ folder, date: statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0 }));
  const [{ folder } = {}] = dated.sort((a, b) => b.date - a.date);
  return folder && { folder, hashes: JSON.parse(readFileSync(join(folder, made), "utf8")) };
}

async function translated(name, source) {
  const { transform } = await import("esbuild");
  const path = relative(join(cache, "translation", dirname(name)), join(root, name));
  const options = {
    loader: "ts",
    format: "esm",
    target: "node20",
    sourcefile: path,
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "silent",
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  };
  return transform(source, options).then(
    ({ code }) => code,
    ({ message }) => failing(message.replaceAll(path, name), source),
  );
}

/** Flushed, or a power cut could leave a folder of empty files. */
function write(file, content) {
  writeFileSync(file, content, { flush: true });
}

/** Both names are the same file, where the file system can do that. */
function take(from, to) {
  try {
    linkSync(from, to);
  } catch {
    write(to, readFileSync(from));
  }
}

/** A module that cannot be translated says why to those that import it, and stops no other. */
function failing(message, source) {
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
