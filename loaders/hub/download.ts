/** One file of the hub into the cache: resumed where it was cut, and never there unless its size and hash are right. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messages } from "../messages.js";
import { absent, errorCode, flushFolder } from "../store/system.js";
import { Unavailable } from "../unavailable.js";
import { attempts, BrokenConnection, type Connection, causeOf } from "./connection.js";
import type { HubFile, Listing } from "./listing.js";

/** The bytes that are there already: of a whole blob, or of one that was cut. */
export async function present(file: HubFile, blobs: string): Promise<number> {
  const blob = blobPath(file, blobs);
  if ((await sizeOf(blob)) === file.size) return file.size;
  return Math.min((await sizeOf(incomplete(blob))) ?? 0, file.size);
}

export const blobPath = ({ hash }: HubFile, blobs: string): string => join(blobs, hash.hex);

/** A name of our own: other libraries append to theirs while they hold locks that Node cannot take. */
const incomplete = (blob: string): string => `${blob}.observatory.incomplete`;

/**
 * @param progress called with the number of bytes of the file that are there
 * @throws {UserError} where the hub refuses
 * @throws {Unavailable} where the connection fails again and again, the disk is full, or the bytes are not the file's
 */
export async function download(
  connection: Connection,
  { revision }: Pick<Listing, "revision">,
  file: HubFile,
  blobs: string,
  progress: (bytes: number) => void,
): Promise<void> {
  const blob = blobPath(file, blobs);
  if ((await sizeOf(blob)) === file.size) return;
  const { endpoint } = connection.environment;
  const url = `${endpoint}/${connection.model.name}/resolve/${revision}/${encodeURIComponent(file.path)}`;
  const transfer = new Transfer(connection, url, file, incomplete(blob), progress);
  // What was put together from parts may be damaged where they meet: then one from the beginning decides.
  const sound = (await transfer.run()) || (transfer.pieced && (await transfer.run()));
  if (!sound) {
    await rm(incomplete(blob), { force: true });
    throw new Unavailable(messages.hubWrongBytes(endpoint, connection.model.name, file.path, file.hash.hex));
  }
  await rename(incomplete(blob), blob);
  await flushFolder(dirname(blob));
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(absent))?.size;
}

class Transfer {
  /** Whether what is there came in several parts, of this pull or an earlier one. */
  pieced = false;
  #received = 0;
  #hash: Hash;
  /** Set where the server sends parts of something else than the file, such as its compressed form. */
  #wholeOnly = false;

  constructor(
    private readonly connection: Connection,
    private readonly url: string,
    private readonly file: HubFile,
    private readonly path: string,
    private readonly progress: (bytes: number) => void,
  ) {
    this.#hash = this.#newHash();
  }

  /** Receives all of the file. @returns whether the bytes are right; what is not is emptied */
  async run(): Promise<boolean> {
    const handle = await open(this.path, "a");
    try {
      await this.#takeUp(handle);
      await this.#receiveAll(handle);
      const sound = this.#received === this.file.size && this.#hash.digest("hex") === this.file.hash.hex;
      if (!sound) await this.#restart(handle);
      await handle.sync();
      return sound;
    } catch (error) {
      throw errorCode(error) === "ENOSPC" ? new Unavailable(messages.hubDiskFull(dirname(this.path))) : error;
    } finally {
      await handle.close();
    }
  }

  #newHash(): Hash {
    const { kind } = this.file.hash;
    return kind === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${this.file.size}\0`);
  }

  /** Goes on from what is on disk. */
  async #takeUp(handle: FileHandle): Promise<void> {
    this.#received = 0;
    this.#hash = this.#newHash();
    const { size } = await handle.stat();
    if (size > this.file.size) return this.#restart(handle);
    if (size === 0) return;
    this.pieced = true;
    for await (const bytes of createReadStream(this.path, { end: size - 1 })) this.#hash.update(bytes);
    this.#received = size;
  }

  async #restart(handle: FileHandle): Promise<void> {
    await handle.truncate(0);
    this.#received = 0;
    this.#hash = this.#newHash();
  }

  async #receiveAll(handle: FileHandle): Promise<void> {
    let furthest = this.#received;
    for (let failures = 0; this.#received < this.file.size; ) {
      const fault = await this.#receive(handle);
      if (this.#received >= this.file.size) return;
      failures = this.#received > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, this.#received);
      if (failures === attempts) throw fault;
      await this.connection.pause(failures);
    }
  }

  /** One request and what comes of it. @returns why it ended before the file did */
  async #receive(handle: FileHandle): Promise<BrokenConnection> {
    const silent = new AbortController();
    try {
      const response = await this.#ask(silent.signal);
      const mismatch = this.#mismatch(response);
      if (mismatch !== undefined) {
        await response.body?.cancel();
        this.#wholeOnly = true;
        await this.#restart(handle);
        return this.#cut(mismatch);
      }
      if (response.status !== 206 && this.#received > 0) await this.#restart(handle);
      for await (const bytes of this.#bodyOf(response, silent)) {
        if (this.#received + bytes.length > this.file.size) {
          await this.#restart(handle);
          return this.#cut("it sends more");
        }
        await handle.appendFile(bytes);
        this.#hash.update(bytes);
        this.#received += bytes.length;
        this.progress(this.#received);
      }
      return this.#cut("it sends no more");
    } catch (error) {
      if (error instanceof BrokenConnection) return error;
      throw error;
    }
  }

  #ask(signal: AbortSignal): Promise<Response> {
    const resumes = this.#received > 0 && !this.#wholeOnly;
    this.pieced ||= resumes;
    const range = resumes ? { range: `bytes=${this.#received}-` } : undefined;
    return this.connection.fetch(this.url, { headers: { "accept-encoding": "identity", ...range }, signal });
  }

  /** What is wrong with an answer whose bytes cannot follow those that are there. */
  #mismatch({ status, headers }: Response): string | undefined {
    if (status === 416) return "it does not serve the rest";
    if (status !== 206) return undefined;
    if ((headers.get("content-encoding") ?? "identity") !== "identity") return "it compresses parts";
    const start = /^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1];
    return Number(start) === this.#received ? undefined : "it serves another part than the one asked for";
  }

  async *#bodyOf({ body }: Response, silent: AbortController): AsyncGenerator<Uint8Array> {
    const listen = () => setTimeout(() => silent.abort(), this.connection.environment.patience);
    let timer = listen();
    try {
      for await (const bytes of body ?? []) {
        clearTimeout(timer);
        yield bytes;
        timer = listen();
      }
    } catch (error) {
      this.connection.signal.throwIfAborted();
      throw this.#cut(silent.signal.aborted ? "it has fallen silent" : causeOf(error));
    } finally {
      clearTimeout(timer);
    }
  }

  #cut(why: string): BrokenConnection {
    const { path, size } = this.file;
    const { environment, model } = this.connection;
    return new BrokenConnection(messages.hubCut(environment.endpoint, model.name, path, this.#received, size, why));
  }
}
