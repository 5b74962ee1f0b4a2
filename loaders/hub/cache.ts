/**
 * Pulled models on disk, in the layout that Hugging Face's libraries share: models--ORG--NAME/{blobs,refs,snapshots}.
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { absent } from "../store/system.js";
import { hubCache } from "./environment.js";
import { type HubName, isCommit, parseName, written } from "./name.js";

/** A revision of a model that lies in the cache. */
export interface PulledModel {
  readonly name: string;
  /** The commit's hash. */
  readonly revision: string;
}

/** The paths that belong to one model. */
export function repositoryPaths(cache: string, name: string) {
  const root = join(cache, folderName(name));
  return {
    blobs: join(root, "blobs"),
    snapshots: join(root, "snapshots"),
    ref: (revision: string) => join(root, "refs", revision),
    lock: join(cache, ".locks", folderName(name), "observatory.lock"),
  };
}

const prefix = "models--";

const folderName = (name: string): string => prefix + name.replace("/", "--");

/** Which pulled model a folder is, told from its path; undefined for any other folder. */
export function pulledModel(folder: string): PulledModel | undefined {
  const path = resolve(folder);
  const revision = basename(path);
  const repository = basename(dirname(dirname(path)));
  const isSnapshot = isCommit(revision) && basename(dirname(path)) === "snapshots" && repository.startsWith(prefix);
  return isSnapshot ? { name: repository.slice(prefix.length).replace("--", "/"), revision } : undefined;
}

/**
 * The folder that `--model` means: a folder that exists, or the snapshot of a model that was pulled.
 * @throws {UserError} where it is neither, but has the form of a name on the hub
 */
export async function modelFolder(text: string, cache = hubCache()): Promise<string> {
  if (await isFolder(text)) return text;
  const name = parseName(text);
  const found = name && (await snapshotOf(name, cache));
  if (found) return found;
  if (name?.name.includes("/") || name?.revision) throw new UserError(messages.notPulled(text));
  return text;
}

async function snapshotOf({ name, revision = "main" }: HubName, cache: string): Promise<string | undefined> {
  const { snapshots, ref } = repositoryPaths(cache, name);
  const commit = isCommit(revision) ? revision : (await readFile(ref(revision), "utf8").catch(absent))?.trim();
  if (!commit || !isCommit(commit)) return undefined;
  const folder = join(snapshots, commit);
  return (await isFolder(folder)) ? folder : undefined;
}

/** Every revision of every model in the cache, with its folder and the branches and tags that point to it. */
export async function pulledModels(cache = hubCache()): Promise<(PulledModel & { folder: string; refs: string[] })[]> {
  const found = [];
  for (const repository of (await list(cache)).filter((entry) => entry.startsWith(prefix))) {
    const refs = await refsOf(join(cache, repository, "refs"));
    for (const commit of await list(join(cache, repository, "snapshots"))) {
      const folder = join(cache, repository, "snapshots", commit);
      const model = pulledModel(folder);
      if (model) found.push({ ...model, folder, refs: refs.filter(([, to]) => to === commit).map(([ref]) => ref) });
    }
  }
  return found.sort((a, b) => (written(a) < written(b) ? -1 : 1));
}

/** Branches and tags, each with the commit it points to. */
async function refsOf(folder: string): Promise<[ref: string, commit: string][]> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true }).catch(absent)) ?? [];
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = async (file: string) => (await readFile(file, "utf8")).trim();
  return Promise.all(files.map(async (file) => [relative(folder, file), await read(file)]));
}

async function list(folder: string): Promise<string[]> {
  return ((await readdir(folder).catch(absent)) ?? []).sort();
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
