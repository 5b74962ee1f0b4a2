/** Brings a checkpoint to the page: the bundled one in parts that are verified and cached, or files that were dropped. */
import { sha256 } from "../../engine/checkpoint.js";
import { UserError } from "../../engine/errors.js";
import type { ByteSource } from "../../engine/source.js";

export interface Addresses {
  readonly description: string;
  readonly parts: readonly string[];
}

interface Description {
  readonly name: string;
  /** Texts of the small files, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly weights: {
    readonly file: string;
    readonly sha256: string;
    readonly parts: readonly { readonly size: number; readonly sha256: string }[];
  };
}

/** Bytes that have come, and bytes in all. */
export type OnProgress = (done: number, total: number) => void;

const cacheName = "attention-observatory-weights";

/** @throws {UserError} where something cannot be loaded, or is not what its hash says */
export async function deliver({ description, parts }: Addresses, progress: OnProgress): Promise<ByteSource> {
  if (!globalThis.crypto?.subtle) {
    throw new UserError("The model cannot be verified here: open this page over https, or from this machine itself.");
  }
  const { name, files, weights }: Description = await (await answer(description)).json();
  const total = weights.parts.reduce((sum, { size }) => sum + size, 0);
  const bytes = new Uint8Array(total);
  const cache = await globalThis.caches?.open(cacheName);
  let done = 0;
  const load = async (part: number, start: number) => {
    const { size, sha256: expected } = weights.parts[part];
    const key = `${new URL(parts[part]).pathname}?sha256=${expected}`;
    const target = bytes.subarray(start, start + size);
    const count = (length: number) => {
      done += length;
      progress(done, total);
    };
    const cached = await cache?.match(key);
    const response = cached ?? (await answer(parts[part]));
    const filled = await read(response, target, count);
    if (filled !== size || (await sha256(target)) !== expected) {
      await cache?.delete(key);
      throw new UserError(`Part ${part + 1} of the weights did not arrive as it was published: reload the page.`);
    }
    if (!cached) await cache?.put(key, new Response(target));
    return key;
  };
  const starts = weights.parts.map((_, part) => weights.parts.slice(0, part).reduce((sum, { size }) => sum + size, 0));
  const kept = await Promise.all(starts.map((start, part) => load(part, start)));
  await forget(cache, kept);
  const whole = new Map<string, Uint8Array>([[weights.file, bytes]]);
  for (const [file, text] of Object.entries(files)) whole.set(file, new TextEncoder().encode(text));
  return {
    name,
    size: async (file) => whole.get(file)?.length,
    read: async (file, start, end) => (whole.get(file) ?? new Uint8Array()).slice(start, end),
    sha256: async (file) =>
      file === weights.file ? weights.sha256 : sha256((whole.get(file) ?? new Uint8Array()).slice()),
  };
}

async function answer(address: string): Promise<Response> {
  const response = await fetch(address).catch(() => undefined);
  if (response?.ok) return response;
  const file = new URL(address).pathname.split("/").at(-1);
  throw new UserError(
    `${file} could not be loaded: ${response ? `the server answered ${response.status}` : "the server did not answer"}.`,
  );
}

/** @returns how many bytes came; those beyond the target's end are only counted */
async function read({ body }: Response, target: Uint8Array, count: (length: number) => void): Promise<number> {
  let filled = 0;
  const reader = body?.getReader();
  for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
    target.set(part.value.subarray(0, Math.max(0, target.length - filled)), Math.min(filled, target.length));
    filled += part.value.length;
    count(part.value.length);
  }
  return filled;
}

/** Parts of models that the site no longer has. */
async function forget(cache: Cache | undefined, kept: readonly string[]): Promise<void> {
  for (const request of (await cache?.keys()) ?? []) {
    const { pathname, search } = new URL(request.url);
    if (!kept.includes(`${pathname}${search}`)) await cache?.delete(request);
  }
}

/** A folder that was dropped on the page, or chosen: its files by name. */
export function droppedSource(name: string, files: ReadonlyMap<string, File>): ByteSource {
  return {
    name,
    size: async (file) => files.get(file)?.size,
    async read(file, start, end) {
      const part = files.get(file)?.slice(start, end);
      return new Uint8Array((await part?.arrayBuffer()) ?? new ArrayBuffer(0));
    },
    // There is nothing to compare a reader's own files with, and hashing them would hold each in memory.
    sha256: async () => "not computed",
  };
}
