/** A Hugging Face checkpoint: its config, its weights, and the hashes that name it. */
import { type Architecture, type Family, tensorsOf } from "./architecture.js";
import { Config } from "./config.js";
import { UserError } from "./errors.js";
import { familyOf } from "./families/index.js";
import { isOutputLayer } from "./families/parts.js";
import { type Json, parseJson, readWhole } from "./json.js";
import { Safetensors } from "./safetensors.js";
import type { ByteSource } from "./source.js";
import type { Weights } from "./weights.js";

/** Weights go by the names that the architecture gives them. */
export interface Checkpoint extends Weights {
  readonly name: string;
  readonly config: Json;
  readonly architecture: Architecture;
  /** sha256 in hex of config.json and of the weights (of several files: of their hashes, joined). */
  readonly hashes: { readonly config: string; readonly weights: string };
  /** The `__metadata__` of the weights file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What kind of control this checkpoint is, where it is one and not a trained model. */
  readonly control?: string;
}

/**
 * Reads and checks config.json alone.
 * @throws {UserError} where it is missing, of no known family, or holds a value that is not understood
 */
export async function readConfig(
  source: ByteSource,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; config: Json; family: Family; architecture: Architecture }> {
  const where = `${source.name}/config.json`;
  const bytes = await readWhole(source, "config.json");
  if (!bytes) throw new UserError(`${source.name} has no config.json, so it is not a Hugging Face checkpoint.`);
  const config = parseJson(bytes, where);
  const family = familyOf(config, where);
  const keys = new Config(config, where);
  const architecture = family.describe(keys);
  keys.finish();
  return { bytes, config, family, architecture };
}

/**
 * Opens a checkpoint and checks that everything the model needs is there, in the right shape, before any of it is used.
 * @throws {UserError} where the source is not a checkpoint of a known family, complete and consistent
 */
export async function openCheckpoint(source: ByteSource): Promise<Checkpoint> {
  const { bytes, config, family, architecture } = await readConfig(source);
  const weights = await Safetensors.open(source);
  const stored = matchTensors(architecture, family, weights);
  await refuseOtherHead(architecture, weights, stored);
  return {
    name: source.name,
    config,
    architecture,
    hashes: { config: await sha256(bytes), weights: await hashWeights(weights) },
    metadata: weights.metadata,
    control: weights.metadata.control,
    tensor: (name) => weights.read(stored.get(name) ?? name),
    check: (name) => weights.check(stored.get(name) ?? name),
    place: (name) => weights.place(stored.get(name) ?? name),
  };
}

/** Where the file keeps each tensor that the architecture names; refuses missing, misshaped and unknown ones. */
function matchTensors(architecture: Architecture, family: Family, weights: Safetensors): Map<string, string> {
  const prefix = family.optionalPrefix ?? "";
  const bare = prefix !== "" && ![...weights.entries.keys()].some((name) => name.startsWith(prefix));
  const stored = new Map<string, string>();
  for (const [name, { shape }] of tensorsOf(architecture)) {
    const inFile = bare && name.startsWith(prefix) ? name.slice(prefix.length) : name;
    const entry = weights.entries.get(inFile);
    if (!entry)
      throw new UserError(`${weights.source.name} lacks the tensor ${inFile} that its config.json calls for.`);
    if (entry.shape.join() !== shape.join()) {
      throw new UserError(
        `${weights.source.name}: ${inFile} has the shape [${entry.shape}], but config.json calls for [${shape}].`,
      );
    }
    if (!["F32", "F16", "BF16"].includes(entry.dtype)) {
      throw new UserError(
        `${weights.source.name}: ${inFile} is ${entry.dtype}, but only F32, F16 and BF16 weights can be read.`,
      );
    }
    stored.set(name, inFile);
  }
  const used = new Set(stored.values());
  for (const name of weights.entries.keys()) {
    if (!used.has(name) && !family.ignores(name, architecture)) {
      throw new UserError(
        `${weights.source.name} holds the tensor ${name}, which a ${architecture.family} model of this config.json does not have.`,
      );
    }
  }
  return stored;
}

/** Libraries disagree about which counts where a tied model's file holds an output layer that is not its embedding. */
async function refuseOtherHead(
  { embedding, head }: Architecture,
  weights: Safetensors,
  stored: ReadonlyMap<string, string>,
): Promise<void> {
  const embedded = stored.get(embedding.weight);
  if (embedded === undefined || head.linear.weight !== embedding.weight) return;
  for (const name of weights.entries.keys()) {
    if (!isOutputLayer(name) || (await weights.equal(name, embedded))) continue;
    throw new UserError(
      `${weights.source.name}: ${name} differs from ${embedded}, but config.json ties them; set tie_word_embeddings to false for the former, or remove it from the file for the latter.`,
    );
  }
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await globalThis.crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function hashWeights({ source, files }: Safetensors): Promise<string> {
  const hashes: string[] = [];
  for (const file of files) {
    hashes.push(
      (await source.sha256?.(file)) ?? (await sha256(await source.read(file, 0, (await source.size(file)) ?? 0))),
    );
  }
  return hashes.length === 1 ? hashes[0] : sha256(new TextEncoder().encode(hashes.join("\n")));
}
