/**
 * Weights in files that sessions map, so that a large model is in memory once, whatever the number of its sessions. As
 * with any mapped file, one that is cut short while it is in use ends the process.
 */
import { rmSync } from "node:fs";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type KeptWeights, type Place, type Weights, weightBytes } from "../../engine/weights.js";

/** Whether sessions can well have a copy of the weights each, and one more of them packed. */
export const isSmall = (sizes: ReadonlyMap<string, number>): boolean => weightBytes(sizes) <= 2 ** 27;

/**
 * Places for all weights of a large model: in its own files where these hold float32, otherwise in a temporary file.
 * @returns undefined where the model is small
 * @throws {UserError} where a weight cannot be read or is not finite
 */
export async function mapWeights(
  weights: Weights,
  sizes: ReadonlyMap<string, number>,
): Promise<KeptWeights | undefined> {
  if (isSmall(sizes)) return undefined;
  if (!(await placesOf(weights, sizes))) return convert(weights, sizes.keys());
  for (const name of sizes.keys()) await weights.check?.(name);
  return { tensor: weights.tensor, place: weights.place, release: async () => {} };
}

/** Where to map each weight from; undefined where they are to be read, all of them. */
export async function placesOf(
  weights: Weights,
  sizes: ReadonlyMap<string, number>,
): Promise<{ readonly folder: string; readonly places: ReadonlyMap<string, Place> } | undefined> {
  if (isSmall(sizes)) return undefined;
  const places = new Map<string, Place>();
  for (const name of sizes.keys()) {
    const place = await weights.place?.(name);
    if (!place) return undefined;
    places.set(name, place);
  }
  const folders = new Set([...places.values()].map(({ path }) => dirname(path)));
  return folders.size === 1 ? { folder: [...folders][0], places } : undefined; // sessions look in one folder
}

const prefix = "attention-observatory-";

/** Writes the weights as float32 to a temporary file that goes with the process, or earlier. */
async function convert(weights: Weights, names: Iterable<string>): Promise<KeptWeights> {
  await removeAbandoned();
  const folder = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on("exit", remove);
  const release = async () => {
    process.off("exit", remove);
    remove();
  };
  try {
    const places = await write(join(folder, "weights"), weights, names);
    return { tensor: weights.tensor, place: async (name) => places.get(name), release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function write(path: string, weights: Weights, names: Iterable<string>): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  const file = await open(path, "wx", 0o600);
  try {
    let end = 0;
    for (const name of names) {
      const values = await weights.tensor(name);
      const start = Math.ceil(end / 64) * 64;
      end = start + values.byteLength;
      await writeAll(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), start);
      places.set(name, { path, start, end });
    }
  } finally {
    await file.close();
  }
  return places;
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, bytes: Uint8Array, start: number): Promise<void> {
  const largestWrite = 2 ** 30; // Node writes at most 2 GiB at a time
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, largestWrite), start + done);
    done += bytesWritten;
  }
}

/** What a process that was killed could not remove. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, pid] = new RegExp(`^${prefix}(\\d+)-`).exec(name) ?? [];
    if (pid && !isAlive(Number(pid))) await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
