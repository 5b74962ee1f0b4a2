/** Where the bytes of a checkpoint come from: a folder, a range-serving URL, files dropped on a page. */
export interface ByteSource {
  /** What messages call it: a path or an address. */
  readonly name: string;
  /** Size in bytes, or undefined where there is no such file. */
  size(file: string): Promise<number | undefined>;
  /** Bytes `start` to `end` (exclusive) of a file; never fewer than asked for. */
  read(file: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Hex digest of a whole file, where that can be had without holding all of it in memory. */
  sha256?(file: string): Promise<string>;
  /** Where the file lies on this machine, for runtimes that map files instead of reading them. */
  path?(file: string): Promise<string>;
}
