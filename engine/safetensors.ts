/**
 * Reads safetensors weights, one file or many, tensor by tensor, through a byte source.
 * Format: https://huggingface.co/docs/safetensors/index#format
 */
import { UserError } from "./errors.js";
import { isRecord, parseJson, readWhole, shown } from "./json.js";
import type { ByteSource } from "./source.js";
import type { Place } from "./weights.js";

export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly file: string;
  /** Bytes of the file, end exclusive. */
  readonly start: number;
  readonly end: number;
}

const single = "model.safetensors";
const index = "model.safetensors.index.json";
/** Bytes that are read at a time; a whole number of elements of every dtype. */
const slice = 2 ** 24;
/** The reference implementation's limit. */
const maximumHeader = 100_000_000;
const bytesPerElement: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
};

export class Safetensors {
  private constructor(
    readonly source: ByteSource,
    readonly files: readonly string[],
    readonly entries: ReadonlyMap<string, TensorEntry>,
    /** The `__metadata__` of the (first) file. */
    readonly metadata: Readonly<Record<string, string>>,
  ) {}

  /**
   * Reads and checks the headers of `model.safetensors`, or of all the shards that `model.safetensors.index.json` names.
   * @throws {UserError} where a file is missing, cut short, or its header contradicts it
   */
  static async open(source: ByteSource): Promise<Safetensors> {
    if ((await source.size(single)) !== undefined) {
      const { entries, metadata } = await readHeader(source, single);
      return new Safetensors(source, [single], entries, metadata);
    }
    if ((await source.size(index)) === undefined) {
      throw new UserError(`${source.name} has no weights: ${single} or ${index} is needed.`);
    }
    const shardOf = await readIndex(source);
    const files = [...new Set(shardOf.values())].sort();
    const headers = await Promise.all(files.map((file) => readHeader(source, file)));
    const entries = new Map<string, TensorEntry>();
    for (const header of headers) {
      for (const [name, entry] of header.entries) {
        if (shardOf.get(name) !== entry.file) {
          throw new UserError(
            `${source.name}/${entry.file} holds the tensor ${name}, which ${index} does not place there.`,
          );
        }
        entries.set(name, entry);
      }
    }
    for (const [name, file] of shardOf) {
      if (!entries.has(name))
        throw new UserError(`${source.name}/${file} lacks the tensor ${name} that ${index} places there.`);
    }
    return new Safetensors(source, files, entries, headers[0].metadata);
  }

  /**
   * A tensor as float32.
   * @throws {UserError} where it is not f32, f16 or bf16, or holds a value that is not finite
   */
  async read(name: string): Promise<Float32Array> {
    const { shape } = this.#entry(name);
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    let filled = 0;
    for await (const part of this.#parts(name)) {
      values.set(part, filled);
      filled += part.length;
    }
    return values;
  }

  /** What `read` would throw, without holding the tensor in memory. */
  async check(name: string): Promise<void> {
    for await (const _ of this.#parts(name));
  }

  /** Where a tensor that is float32 already lies on this machine. */
  async place(name: string): Promise<Place | undefined> {
    const { dtype, file, start, end } = this.#entry(name);
    const path = dtype === "F32" ? await this.source.path?.(file) : undefined;
    return path === undefined ? undefined : { path, start, end };
  }

  /** Whether two tensors hold the same bytes. */
  async equal(one: string, other: string): Promise<boolean> {
    const [a, b] = [this.#entry(one), this.#entry(other)];
    const length = a.end - a.start;
    if (a.dtype !== b.dtype || b.end - b.start !== length) return false;
    for (let from = 0; from < length; from += slice) {
      const to = Math.min(from + slice, length);
      const parts = await Promise.all(
        [a, b].map(({ file, start }) => this.source.read(file, start + from, start + to)),
      );
      if (parts[0].some((byte, i) => byte !== parts[1][i])) return false;
    }
    return true;
  }

  #entry(name: string): TensorEntry {
    const entry = this.entries.get(name);
    if (!entry) throw new UserError(`${this.source.name} has no tensor ${name}.`);
    return entry;
  }

  async *#parts(name: string): AsyncGenerator<Float32Array> {
    const { dtype, file, start, end } = this.#entry(name);
    const where = `${this.source.name}/${file}: ${name}`;
    for (let from = start; from < end; from += slice) {
      const part = toFloat32(await this.source.read(file, from, Math.min(from + slice, end)), dtype);
      if (!part) throw new UserError(`${where} is ${dtype}, but only F32, F16 and BF16 weights can be read.`);
      if (!allFinite(part)) throw new UserError(`${where} holds a value that is not a finite number.`);
      yield part;
    }
  }
}

async function readIndex(source: ByteSource): Promise<Map<string, string>> {
  const map = parseJson((await readWhole(source, index)) ?? new Uint8Array(), `${source.name}/${index}`).weight_map;
  if (!isRecord(map)) throw new UserError(`${source.name}/${index} has no weight_map.`);
  const shardOf = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[\w.-]+\.safetensors$/.test(file)) {
      throw new UserError(
        `${source.name}/${index} places ${name} in something that is not the name of a safetensors file.`,
      );
    }
    shardOf.set(name, file);
  }
  if (shardOf.size === 0) throw new UserError(`${source.name}/${index} names no tensor in its weight_map.`);
  return shardOf;
}

interface Header {
  readonly entries: Map<string, TensorEntry>;
  readonly metadata: Record<string, string>;
}

async function readHeader(source: ByteSource, file: string): Promise<Header> {
  const where = `${source.name}/${file}`;
  const size = await source.size(file);
  if (size === undefined) throw new UserError(`${where} is missing, but ${index} names it.`);
  if (size < 8) throw new UserError(`${where} is ${size} bytes long, too short for a safetensors file.`);
  const lead = await source.read(file, 0, 8);
  const length = Number(new DataView(lead.buffer, lead.byteOffset, 8).getBigUint64(0, true));
  if (length < 2 || length > maximumHeader || 8 + length > size) {
    throw new UserError(
      `${where} announces a header of ${length} bytes in a file of ${size}: it is damaged or not a safetensors file.`,
    );
  }
  const json = parseJson(await source.read(file, 8, 8 + length), `The header of ${where}`);
  const { __metadata__: metadata = {}, ...tensors } = json;
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === "string")) {
    throw new UserError(`${where} has a __metadata__ that is not a table of texts.`);
  }
  const entries = new Map(
    Object.entries(tensors).map(([name, value]) => [name, readEntry(value, name, file, where, 8 + length)] as const),
  );
  checkLayout(entries, where, 8 + length, size);
  return { entries, metadata: metadata as Record<string, string> };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readEntry(value: unknown, name: string, file: string, where: string, base: number): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = isRecord(value) ? value : {};
  if (typeof dtype !== "string" || !Object.hasOwn(bytesPerElement, dtype)) {
    throw new UserError(`${where}: the tensor ${name} has the unknown dtype ${shown(dtype)}.`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw new UserError(`${where}: the tensor ${name} has no shape of whole numbers.`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1]) {
    throw new UserError(`${where}: the tensor ${name} has no valid data_offsets.`);
  }
  const [start, end] = offsets;
  const bytes = shape.reduce((product, size) => product * size, bytesPerElement[dtype]);
  if (end - start !== bytes) {
    throw new UserError(
      `${where}: the tensor ${name} spans ${end - start} bytes, but ${dtype} [${shape}] needs ${bytes}.`,
    );
  }
  return { dtype, shape, file, start: base + start, end: base + end };
}

/** The format allows neither gaps nor overlaps, and the data ends where the file does. */
function checkLayout(entries: ReadonlyMap<string, TensorEntry>, where: string, base: number, size: number): void {
  let position = base;
  for (const [name, { start, end }] of [...entries].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (start !== position) {
      throw new UserError(
        `${where}: the tensor ${name} ${start < position ? "overlaps another one" : "leaves a gap before it"}.`,
      );
    }
    position = end;
  }
  if (position !== size) {
    const fault = position > size ? "is cut short" : "has bytes after its last tensor";
    throw new UserError(`${where} ${fault}: its header describes ${position} bytes and the file has ${size}.`);
  }
}

function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

let halves: Float32Array | undefined;

/** Every float16 as float32, by its bits. */
function halfTable(): Float32Array {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const magnitude =
      exponent === 31
        ? fraction
          ? NaN
          : Infinity
        : exponent === 0
          ? fraction * 2 ** -24
          : (1 + fraction / 1024) * 2 ** (exponent - 15);
    halves[bits] = bits & 0x8000 ? -magnitude : magnitude;
  }
  return halves;
}

function toFloat32(bytes: Uint8Array, dtype: string): Float32Array | undefined {
  const { buffer, byteOffset } = byteLengthAligned(bytes);
  if (dtype === "F32") return new Float32Array(buffer, byteOffset, bytes.length / 4);
  if (dtype !== "F16" && dtype !== "BF16") return undefined;
  const half = new Uint16Array(buffer, byteOffset, bytes.length / 2);
  const values = new Float32Array(half.length);
  if (dtype === "F16") {
    const table = halfTable();
    for (let i = 0; i < half.length; i++) values[i] = table[half[i]];
  } else {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < half.length; i++) bits[i] = half[i] << 16;
  }
  return values;
}

/** A view that typed arrays of four bytes can be laid over, copied only where the bytes start at an odd place. */
const byteLengthAligned = (bytes: Uint8Array) => (bytes.byteOffset % 4 === 0 ? bytes : bytes.slice());

export interface WritableTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A safetensors file of float32 tensors. */
export function encodeSafetensors(
  tensors: readonly WritableTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let length = 0;
  for (const { name, shape, data } of tensors) {
    header[name] = { dtype: "F32", shape, data_offsets: [length, length + data.byteLength] };
    length += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const base = 8 + Math.ceil(json.length / 8) * 8; // padded with spaces, so that the values are aligned
  const file = new Uint8Array(base + length);
  new DataView(file.buffer).setBigUint64(0, BigInt(base - 8), true);
  file.fill(32, 8, base).set(json, 8);
  let offset = base;
  for (const { data } of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}
