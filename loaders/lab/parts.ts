/** The bundled model as pages load it: its weights in parts that every static host takes, each known by its hash. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { bundledModel } from "../project.js";
import { sha256 } from "../store/hash.js";

/** As many as components/lab/bundled.ts names. */
export const partNumbers = [1, 2, 3, 4, 5, 6, 7, 8] as const;

const weights = "model.safetensors";
const texts = ["config.json", "tokenizer.json", "tokenizer_config.json"];

/** The weights as they lie in the checkpoint: in half precision. */
export function readWeights(): Promise<Uint8Array> {
  return readFile(join(bundledModel, weights));
}

export function weightsPart(bytes: Uint8Array, number: number): Uint8Array {
  const edge = (part: number) => Math.round((part / partNumbers.length) * bytes.length);
  return bytes.subarray(edge(number - 1), edge(number));
}

/** What a page has to know before it loads the parts: components/lab/delivery.ts has the type. */
export async function modelDescription(bytes: Uint8Array): Promise<string> {
  const files = await Promise.all(
    texts.map(async (file) => [file, await readFile(join(bundledModel, file), "utf8")] as const),
  );
  const parts = partNumbers.map((number) => weightsPart(bytes, number));
  return JSON.stringify({
    name: basename(bundledModel),
    files: Object.fromEntries(files),
    weights: {
      file: weights,
      sha256: sha256(bytes),
      parts: parts.map((part) => ({ size: part.length, sha256: sha256(part) })),
    },
  });
}
