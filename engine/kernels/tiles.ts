/** Which tile sizes and which unit a device takes for a pass. */
import type { Gpu } from "./gpu.js";
import type { Tile } from "./scores.js";
import type { Traits } from "./scoring.js";

export interface TileSet {
  /** For passes with nothing but scores in workgroup memory. */
  readonly sweep: Tile;
  /** For passes that keep a tile of probabilities there too. */
  readonly mix: Tile;
  /** Square, with as many threads as rows. */
  readonly diagonal: Tile;
}

const fma = (own: number, swept: number, threadOwn: number, threadSwept: number, depth = 16): Tile => ({
  unit: "fma",
  own,
  swept,
  threadOwn,
  threadSwept,
  depth,
});

/** A processor that plays GPU gains nothing from large tiles, and takes seconds to compile them. */
const small = fma(16, 16, 4, 4);
export const softwareTiles: TileSet = { sweep: small, mix: small, diagonal: small };

/** By speed on an H100, the fastest first; the first that fits into a device's workgroup memory is taken. */
const sweeps = [fma(64, 128, 4, 16), fma(64, 64, 8, 8)];
const mixes = [fma(128, 64, 4, 8), fma(64, 64, 8, 4), fma(64, 32, 8, 4)];
const diagonals = [fma(64, 64, 8, 8), fma(32, 32, 4, 8)];

export function tilesFor(gpu: Gpu, traits: Traits): TileSet {
  const { device } = gpu;
  if (device.adapterInfo.isFallbackAdapter) return softwareTiles;
  const room = device.limits.maxComputeWorkgroupStorageSize;
  const fitting = (tiles: readonly Tile[], bytes: (tile: Tile) => number) =>
    tiles.find((tile) => bytes(tile) <= room) ?? tiles[tiles.length - 1];
  return {
    sweep: matrixTile(gpu, traits) ?? fitting(sweeps, sweepMemory),
    mix: fitting(mixes, mixMemory),
    diagonal: fitting(diagonals, mixMemory),
  };
}

/** Bytes of staged operands, and of what sharers exchange. */
function sweepMemory({ own, swept, depth, threadOwn, threadSwept }: Tile): number {
  const threads = (own * swept) / (threadOwn * threadSwept);
  const columns = 16 * 5 * (swept / 4); // normalisations and weights of up to four groups
  return 16 * depth * (own / 4 + swept / 4 + 2) + Math.max(20 * threads, columns + 4 * threads);
}

/** Bytes of staged operands, and of a tile of probabilities. */
const mixMemory = ({ own, swept, depth }: Tile): number =>
  16 * (depth * (own / 4 + swept / 4 + 2) + swept * (own / 4 + 1));

/** Tensor cores, where there are any and whole fragments fill the head; a thread per owned row. */
function matrixTile({ hasTensorCores }: Gpu, { type, headSize }: Traits): Tile | undefined {
  if (!hasTensorCores || type !== "f16" || headSize % 16 !== 0 || headSize > 128) return undefined;
  const own = headSize > 64 ? 64 : 128;
  return { unit: "matrix", own, swept: 32, threadOwn: 1, threadSwept: 32, depth: headSize };
}
