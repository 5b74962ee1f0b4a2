import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../engine/errors.js";
import type { ByteSource } from "../engine/source.js";

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
          const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
          if (bytesRead === 0)
            throw new UserError(`${join(folder, file)} ends at byte ${start + filled}, before byte ${end}.`);
          filled += bytesRead;
        }
        return bytes;
      } finally {
        await handle.close();
      }
    },
  };
}
