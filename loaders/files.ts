import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../engine/errors.js";
import type { ByteSource } from "../engine/source.js";

/** Node reads at most 2 GiB at a time. */
const largestRead = 2 ** 30;

/** Digests by path, size and time of change: a file is hashed once per process as long as it stays as it is. */
const digests = new Map<string, Promise<string>>();

/** Reads a checkpoint from a folder. */
export function fileSource(folder: string): ByteSource {
  return {
    name: folder,

    async size(file) {
      const found = await stat(folder).catch(() => undefined);
      if (!found?.isDirectory()) throw new UserError(`There is no folder ${folder}.`);
      const entry = await stat(join(folder, file)).catch(() => undefined);
      return entry?.isFile() ? entry.size : undefined;
    },

    async read(file, start, end) {
      const handle = await open(join(folder, file));
      try {
        const bytes = new Uint8Array(end - start);
        let filled = 0;
        while (filled < bytes.length) {
          const length = Math.min(bytes.length - filled, largestRead);
          const { bytesRead } = await handle.read(bytes, filled, length, start + filled);
          if (bytesRead === 0)
            throw new UserError(`${join(folder, file)} ends at byte ${start + filled}, before byte ${end}.`);
          filled += bytesRead;
        }
        return bytes;
      } finally {
        await handle.close();
      }
    },

    async sha256(file) {
      const path = await realpath(join(folder, file));
      const { size, mtimeNs } = await stat(path, { bigint: true });
      const key = `${path} ${size} ${mtimeNs}`;
      const digest = digests.get(key) ?? hash(path);
      digests.set(key, digest);
      digest.catch(() => digests.delete(key));
      return digest;
    },

    path: (file) => realpath(join(folder, file)),
  };
}

async function hash(path: string): Promise<string> {
  const digest = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 22 })) digest.update(chunk);
  return digest.digest("hex");
}
