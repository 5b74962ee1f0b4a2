import { fileURLToPath } from "node:url";
import type { ByteSource } from "../../../engine/source.js";
import { fileSource } from "../../../loaders/files.js";

export type Files = Readonly<Record<string, Uint8Array>>;

/** Files that exist in memory only. */
export const memorySource = (files: Files): ByteSource => ({
  name: "memory",
  size: async (file) => files[file]?.length,
  read: async (file, start, end) => files[file].slice(start, end) as Uint8Array<ArrayBuffer>,
});

export const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

export const bundledFolder = fileURLToPath(new URL("../../../data/models/observatory-8m", import.meta.url));

export const goldenFolder = (name: string): string =>
  fileURLToPath(new URL(`../../golden/checkpoints/${name}`, import.meta.url));

/** The files of a golden checkpoint, to be spoilt. */
export async function goldenFiles(name: string): Promise<Record<string, Uint8Array>> {
  const source = fileSource(goldenFolder(name));
  const files: Record<string, Uint8Array> = {};
  for (const file of ["config.json", "model.safetensors"]) {
    files[file] = await source.read(file, 0, (await source.size(file)) ?? 0);
  }
  return files;
}

export interface Header {
  [tensor: string]: { dtype: string; shape: number[]; data_offsets: [number, number] };
}

/** A safetensors file taken apart: its header without metadata, and its values. */
export function takeApart(file: Uint8Array): { header: Header; values: Uint8Array } {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const { __metadata__, ...header } = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  return { header, values: file.slice(8 + length) };
}

export function putTogether(header: unknown, values: Uint8Array, announced?: bigint): Uint8Array {
  const bytes = typeof header === "string" ? new TextEncoder().encode(header) : json(header);
  const file = new Uint8Array(8 + bytes.length + values.length);
  new DataView(file.buffer).setBigUint64(0, announced ?? BigInt(bytes.length), true);
  file.set(bytes, 8);
  file.set(values, 8 + bytes.length);
  return file;
}
