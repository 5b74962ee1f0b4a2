/**
 * What pages show, remembered from one build to the next: running their queries takes a good part of a build. It is a
 * function of what Framework made of a page, whose addresses carry hashes of its modules and data, and of our code.
 */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { root, workFolder } from "../../project.js";
import { codeOf } from "../../store/code.js";
import { sha256 } from "../../store/hash.js";
import { absent, filesBelow, replaceFile, unwritten } from "../../store/system.js";
import type { PageContent } from "./page.js";

export class PageMemory {
  readonly #site: string;
  readonly #folder: string;
  /** A hash of what all pages depend on. */
  readonly #code: string;
  readonly #used = new Set<string>();

  private constructor(site: string, folder: string, code: string) {
    this.#site = site;
    this.#folder = folder;
    this.#code = code;
  }

  /** @param folder what it remembers: files that it may delete */
  static async open(site: string, folder = join(workFolder, "pages")): Promise<PageMemory> {
    const { pages } = codeOf(root, { pages: ["loaders/site/notebook/page.ts"] }, join(workFolder, "code"));
    const components = await readdir(join(site, "_import/components"));
    const packages = await readFile(join(root, "package.json"), "utf8"); // their versions are exact
    const parts = [(await pages).hash, components.sort(), packages, process.version];
    return new PageMemory(site, folder, sha256(JSON.stringify(parts)));
  }

  async content(page: string, read: () => Promise<PageContent>): Promise<PageContent> {
    const html = await readFile(join(this.#site, page), "utf8");
    const key = sha256(`${this.#code}\n${page}\n${html}`);
    this.#used.add(key);
    const file = join(this.#folder, key);
    const known = await readFile(file).catch(absent);
    const [sum, bytes] = [known?.subarray(0, 64).toString("latin1"), known?.subarray(64)];
    if (bytes && sum === sha256(bytes)) return deserialize(bytes) as PageContent;
    const content = await read();
    const written = serialize(content);
    await replaceFile(file, Buffer.concat([Buffer.from(sha256(written)), written])).catch(unwritten);
    return content;
  }

  /** Keeps only what this build has shown. */
  async forgetOthers(): Promise<void> {
    for (const file of await filesBelow(this.#folder))
      if (!this.#used.has(file)) await rm(join(this.#folder, file), { force: true });
  }
}
