/** What a model's repository holds at one commit, and which of it is needed to run the model. */
import { listFiles, modelInfo } from "@huggingface/hub";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { Unavailable } from "../unavailable.js";
import type { Connection } from "./connection.js";
import { isCommit, written } from "./name.js";

export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Of the content: sha256 of a large file, or git's hash of a small one. It also names the blob in the cache. */
  readonly hash: { readonly kind: "sha256" | "git-sha1"; readonly hex: string };
}

export interface Listing {
  /** The commit's hash. */
  readonly revision: string;
  /** Files at the top of the repository, by name. */
  readonly files: ReadonlyMap<string, HubFile>;
}

const config = "config.json";
const companions = ["generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"];
const weights = "model.safetensors";
const weightsIndex = "model.safetensors.index.json";
const otherWeights = /\.(bin|pt|pth|ckpt|h5|msgpack|gguf|onnx)$/;

/** @throws {UserError} where the hub does not have or does not show the model */
export async function listRepository({ environment, model, fetch }: Connection): Promise<Listing> {
  const { endpoint: hubUrl } = environment;
  try {
    const { sha } = await modelInfo({ revision: "main", ...model, hubUrl, fetch, additionalFields: ["sha"] });
    if (!isCommit(sha)) throw new Unavailable(messages.hubGarbled(hubUrl));
    const files = new Map<string, HubFile>();
    for await (const { type, path, size, oid, lfs } of listFiles({ repo: model.name, revision: sha, hubUrl, fetch })) {
      if (type !== "file" || path.includes("/")) continue;
      const hash = lfs ? ({ kind: "sha256", hex: lfs.oid } as const) : ({ kind: "git-sha1", hex: oid ?? "" } as const);
      const length = hash.kind === "sha256" ? 64 : 40;
      const sound = new RegExp(`^[0-9a-f]{${length}}$`).test(hash.hex) && Number.isSafeInteger(size) && size >= 0;
      if (!sound) throw new Unavailable(messages.hubGarbled(hubUrl));
      files.set(path, { path, size: lfs?.size ?? size, hash });
    }
    return { revision: sha, files };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) throw new Unavailable(messages.hubGarbled(hubUrl)); // no JSON, or not of the hub's form
    throw error;
  }
}

/**
 * The files that are needed before it can be said which weights are: config, tokenizer, and the index of shards.
 * @throws {UserError} where the repository does not hold a model of the kind that can be run
 */
export function smallFiles({ files }: Listing, { model }: Connection): HubFile[] {
  const name = written(model);
  if (!files.has(config)) throw new UserError(messages.hubNoConfig(name));
  if (!files.has(weights) && !files.has(weightsIndex)) {
    const others = [...files.keys()].filter((path) => otherWeights.test(path));
    throw new UserError(messages.hubNoSafetensors(name, others));
  }
  const index = files.has(weights) ? [] : [weightsIndex];
  return [config, ...companions, ...index].flatMap((path) => files.get(path) ?? []);
}

/**
 * The weights: one file, or the shards that the index names.
 * @param readIndex reads the index, which `smallFiles` contains where there is one
 * @throws {UserError} where the index names a shard that is not there, or is none
 */
export async function weightFiles(
  { files }: Listing,
  { model }: Connection,
  readIndex: (file: HubFile) => Promise<string>,
): Promise<HubFile[]> {
  const single = files.get(weights);
  if (single) return [single];
  const index = files.get(weightsIndex);
  const shards = index ? shardsOf(await readIndex(index)) : undefined;
  if (!shards) throw new UserError(messages.hubBadIndex(written(model), weightsIndex));
  return shards.map((shard) => {
    const file = files.get(shard);
    if (!file) throw new UserError(messages.hubNoShard(written(model), weightsIndex, shard));
    return file;
  });
}

function shardsOf(text: string): string[] | undefined {
  try {
    const { weight_map: map } = JSON.parse(text);
    const names: unknown[] = Object.values(map);
    return names.length > 0 && names.every((name) => typeof name === "string") ? [...new Set(names)].sort() : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
