/** Which tile sizes and which unit a device takes for a pass. */
import type { Tile } from "./scores.js";
import type { Traits } from "./scoring.js";

/** WebGPU's default workgroup memory is 16 KiB; discrete GPUs offer more, and larger tiles read each operand less often. */
const roomy = 32768;

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

export function tilesFor(device: GPUDevice, traits: Traits): TileSet {
  if (device.adapterInfo.isFallbackAdapter) return softwareTiles;
  const large = device.limits.maxComputeWorkgroupStorageSize >= roomy;
  const matrix = matrixTile(device, traits);
  return large
    ? { sweep: matrix ?? fma(128, 64, 8, 8), mix: fma(64, 64, 8, 8), diagonal: fma(64, 64, 8, 8) }
    : { sweep: fma(64, 64, 8, 8), mix: fma(64, 32, 8, 4), diagonal: fma(32, 32, 4, 8) };
}

/** Tensor cores, where the device multiplies 16 × 16 × 16 of float16 into float32 in subgroups of 32. */
export function matrixTile(device: GPUDevice, { type, headSize }: Traits): Tile | undefined {
  if (type !== "f16" || headSize % 16 !== 0 || headSize > 128 || !hasTensorCores(device)) return undefined;
  const own = headSize > 64 ? 64 : 128;
  return { unit: "matrix", own, swept: 32, threadOwn: 1, threadSwept: 32, depth: headSize };
}

/** What Dawn adds to GPUAdapterInfo with its experimental feature. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: readonly {
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }[];
}

const matrixFeature: string = "chromium-experimental-subgroup-matrix";

export function hasTensorCores(device: GPUDevice): boolean {
  const info: GPUAdapterInfo & MatrixInfo = device.adapterInfo;
  const wanted = info.subgroupMatrixConfigs?.some(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === "f16" && resultComponentType === "f32" && M === 16 && N === 16 && K === 16,
  );
  const features: ReadonlySet<string> = device.features;
  return (
    wanted === true &&
    features.has(matrixFeature) &&
    features.has("shader-f16") &&
    info.subgroupMinSize === 32 &&
    info.subgroupMaxSize === 32
  );
}
