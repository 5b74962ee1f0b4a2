/** The exports of a WebAssembly module, in its binary format: https://webassembly.github.io/spec/core/binary/modules.html */

const preamble = 8; // bytes: magic number and version
const exportSection = 7;

/** The same module with these of its exports alone. @throws {Error} where the bytes end too early */
export function withExports(wasm: Uint8Array, wanted: (name: string) => boolean): Uint8Array {
  const parts = [wasm.subarray(0, preamble)];
  const reader = new Reader(wasm, preamble);
  while (reader.at < wasm.length) {
    const begin = reader.at;
    const id = reader.byte();
    const size = reader.integer();
    const content = reader.take(size);
    if (id !== exportSection) {
      parts.push(wasm.subarray(begin, reader.at));
      continue;
    }
    const left = filtered(content, wanted);
    parts.push(Uint8Array.of(exportSection), encoded(left.length), left);
  }
  return Buffer.concat(parts);
}

/** A vector of exports, each a name, a kind and an index. */
function filtered(content: Uint8Array, wanted: (name: string) => boolean): Uint8Array {
  const reader = new Reader(content, 0);
  const kept: Uint8Array[] = [];
  for (let count = reader.integer(); count > 0; count--) {
    const begin = reader.at;
    const name = new TextDecoder().decode(reader.take(reader.integer()));
    reader.byte();
    reader.integer();
    if (wanted(name)) kept.push(content.subarray(begin, reader.at));
  }
  return Buffer.concat([encoded(kept.length), ...kept]);
}

class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
  ) {}

  take(size: number): Uint8Array {
    const begin = this.at;
    this.at += size;
    if (this.at > this.bytes.length) throw new Error("The WebAssembly module ends before its sections do.");
    return this.bytes.subarray(begin, this.at);
  }

  byte(): number {
    return this.take(1)[0];
  }

  /** Unsigned LEB128: seven bits per byte, the lowest first; the eighth says that more follow. */
  integer(): number {
    const byte = this.byte();
    return byte < 128 ? byte : byte - 128 + 128 * this.integer();
  }
}

function encoded(integer: number): Uint8Array {
  const bytes: number[] = [];
  for (; integer >= 128; integer = Math.floor(integer / 128)) bytes.push((integer % 128) + 128);
  return Uint8Array.of(...bytes, integer);
}
