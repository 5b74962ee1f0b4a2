/**
 * Tells of changes below folders, folder by folder. Node's own recursive watching holds on to files: once one was
 * replaced by another of its name, as many editors and git do, Linux tells nothing more of it.
 */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { errorCode } from "../store/system.js";

export interface WatchOptions {
  /** Folders, with all that is in them, and files. They may come and go. */
  readonly paths: readonly string[];
  readonly changed: () => void;
  /** Changes in this folder are not followed any more; told once. */
  readonly lost: (folder: string, code: string) => void;
}

export class TreeWatch {
  readonly #options: WatchOptions;
  /** By folder. */
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #lost = new Set<string>();
  readonly #parents: readonly FSWatcher[];

  constructor(options: WatchOptions) {
    this.#options = options;
    const parents = new Set(options.paths.map((path) => dirname(path)));
    this.#parents = [...parents].map((parent) => {
      const own = new Set(options.paths.filter((path) => dirname(path) === parent).map((path) => basename(path)));
      return this.#open(parent, (type, name) => (name === null || own.has(name)) && this.#happened(parent, type, name));
    });
    this.follow();
  }

  /** Follows the folders that are new since the last call. Call it after a change, before looking at what is there. */
  follow(): void {
    for (const path of this.#options.paths) {
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) this.#followBelow(path);
    }
  }

  close(): void {
    for (const watcher of [...this.#parents, ...this.#watchers.values()]) watcher.close();
  }

  #followBelow(folder: string): void {
    try {
      if (!this.#watchers.has(folder)) {
        const watcher = this.#open(folder, (type, name) => this.#happened(folder, type, name));
        this.#watchers.set(folder, watcher);
      }
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) this.#followBelow(join(folder, entry.name));
      }
    } catch (error) {
      this.#failed(folder, error);
    }
  }

  #open(folder: string, listener: (type: string, name: string | null) => void): FSWatcher {
    const watcher = watch(folder, listener);
    watcher.on("error", (error) => {
      this.#forget(folder);
      this.#failed(folder, error);
      this.#options.changed();
    });
    return watcher;
  }

  /** A folder that went meanwhile is no failure. */
  #failed(folder: string, error: unknown): void {
    const code = errorCode(error);
    if (code === undefined) throw error;
    if (code === "ENOENT" || this.#lost.has(folder)) return;
    this.#lost.add(folder);
    this.#options.lost(folder, code);
  }

  #happened(folder: string, type: string, name: string | null): void {
    // A folder that came, went or was replaced is another one now.
    if (type === "rename") this.#forget(name === null ? folder : join(folder, name));
    this.#options.changed();
  }

  #forget(gone: string): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folder !== gone && !folder.startsWith(gone + sep)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
  }
}
