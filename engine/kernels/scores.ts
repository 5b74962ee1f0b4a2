/**
 * The inner part of all sweeping shaders: one tile of scores, in registers. A workgroup owns a tile of queries or of
 * keys and sweeps over tiles of the other; each thread holds the scores of `threadOwn` × `threadSwept` pairs of it, in
 * vectors of four along the swept side, named s_OWN_VECTOR.
 *
 * Two ways to the products: register tiles of fused multiply–adds over operands staged in workgroup memory, on any
 * device; and subgroup matrices (tensor cores) for float16 operands, whose results go through workgroup memory.
 */
import { hiddenScore, type Traits } from "./scoring.js";
import { fragment, matrixExtensions, subgroupSize } from "./tensor-cores.js";

export type Side = "queries" | "keys";

export interface Tile {
  /** How products are formed. */
  readonly unit: "fma" | "matrix";
  readonly own: number;
  readonly swept: number;
  readonly threadOwn: number;
  readonly threadSwept: number;
  /** Elements of the head size staged at a time; with `matrix` always all. */
  readonly depth: number;
}

export const repeat = (count: number, text: (i: number) => string, separator = "\n"): string =>
  Array.from({ length: count }, (_, i) => text(i)).join(separator);

export const threadsOf = ({ own, swept, threadOwn, threadSwept }: Tile): number =>
  (own / threadOwn) * (swept / threadSwept);

/** Threads that share one owned row. */
export const sharersOf = ({ swept, threadSwept }: Tile): number => swept / threadSwept;

export class Scores {
  readonly threads: number;
  readonly sharers: number;
  readonly vectors: number;

  constructor(
    readonly traits: Traits,
    readonly tile: Tile,
    readonly own: Side,
  ) {
    this.threads = threadsOf(tile);
    this.sharers = sharersOf(tile);
    this.vectors = tile.threadSwept / 4;
  }

  get swept(): Side {
    return this.own === "queries" ? "keys" : "queries";
  }

  get extensions(): string {
    return this.tile.unit === "matrix" ? matrixExtensions : "";
  }

  /** Workgroup memory. */
  get memory(): string {
    const { own, swept, depth, unit } = this.tile;
    if (unit === "fma") {
      return `
var<workgroup> ownChunk: array<vec4f, ${depth * (own / 4 + 1)}>; // [depth, own / 4], transposed, padded
var<workgroup> sweptChunk: array<vec4f, ${depth * (swept / 4 + 1)}>;`;
    }
    return `
@group(0) @binding(2) var<storage, read> queryVectors: array<vec4u>; // the same queries, eight elements at a time
@group(0) @binding(3) var<storage, read> keyVectors: array<vec4u>;
var<workgroup> operand: array<vec4u, ${swept * this.#operandPitch}>; // [swept, headSize / 8], padded
var<workgroup> products: array<u32, ${Math.max(own * 4 * this.#operandPitch, swept * this.#productPitch)}>; // [swept, own], padded`;
  }

  /** Vectors from row to row of float16 in workgroup memory: one more than a row has keeps rows off each other's banks. */
  get #operandPitch(): number {
    return this.traits.headSize / 8 + 1;
  }

  /** Elements from row to row of products, likewise. */
  get #productPitch(): number {
    return this.tile.own + 8;
  }

  /** Names of what stays the same over the sweep: the head, the thread's owned rows; with `matrix` also their fragments. */
  get prologue(): string {
    const { tile, own, traits } = this;
    const position =
      tile.unit === "fma"
        ? `let ownThread = thread / ${this.sharers}u;
  let sweptThread = thread % ${this.sharers}u;`
        : `let ownThread = thread;
  let sweptThread = 0u;`;
    return `
  let head = layer.heads[headNumber];
  let ownBase = ${this.#base(own)};
  let sweptBase = ${this.#base(this.swept)};
  ${position}
  ${repeat(
    tile.threadOwn,
    (i) => `let own_${i} = ownStart + ${this.#ownIndex(i)};
  let place_${i} = f32(own_${i});
  ${traits.pieces ? `let ownPiece_${i} = vec4i(pieces[min(own_${i}, layer.${own} - 1u)]);` : ""}
  ${traits.bias && own === "keys" ? `let bias_${i} = vec4f(keyBias[headNumber * layer.biasStride + min(own_${i}, layer.keys - 1u)]);` : ""}`,
  )}
  ${tile.unit === "matrix" ? this.#fragments : ""}`;
  }

  /** Where the head's rows begin, in vectors of four; of eight with `matrix`. */
  #base(side: Side): string {
    const offset = `layer.${side === "queries" ? "queryOffset" : "keyOffset"}`;
    const head = `${side === "queries" ? "(headNumber - layer.firstHead)" : "keyHead"} * layer.${side}`;
    const { headSize } = this.traits;
    return this.tile.unit === "matrix"
      ? `${offset} / 2u + ${head} * ${headSize / 8}u`
      : `${offset} + ${head} * ${headSize / 4}u`;
  }

  /** Place of a thread's i-th row in the owned tile: vectors of four rows, a stride apart. */
  #ownIndex(i: number): string {
    const { own, threadOwn, unit } = this.tile;
    if (unit === "matrix") return "ownThread";
    return `${Math.floor(i / 4) * ((4 * own) / threadOwn) + (i % 4)}u + 4u * ownThread`;
  }

  #sweptIndex(vector: number): string {
    const { unit, threadSwept } = this.tile;
    return unit === "matrix"
      ? `sweptThread * ${threadSwept}u + ${4 * vector}u`
      : `${vector * 4 * this.sharers}u + 4u * sweptThread`;
  }

  /** Place of a vector in the swept tile is `offset` plus what the thread adds: { offset, thread factor }. */
  sweptOffset(vector: number): number {
    return this.tile.unit === "matrix" ? 4 * vector : vector * 4 * this.sharers;
  }

  get sweptThreadFactor(): number {
    return this.tile.unit === "matrix" ? this.tile.threadSwept : 4;
  }

  /** First and last step of the sweep over tiles that can hold a visible pair. */
  get range(): string {
    const { own, swept } = this.tile;
    const { causal, window } = this.traits;
    const end = `layer.${this.swept}`;
    let first = "0u";
    let last = end;
    if (this.own === "queries") {
      if (window) first = "(ownStart - min(ownStart, layer.window - 1u))";
      if (causal) last = `min(${end}, ownStart + ${own}u)`;
      else if (window) last = `min(${end}, ownStart + ${own - 1}u + layer.window)`;
    } else {
      if (causal) first = "ownStart";
      else if (window) first = "(ownStart - min(ownStart, layer.window - 1u))";
      if (window) last = `min(${end}, ownStart + ${own - 1}u + layer.window)`;
    }
    return `
  let firstStep = ${first} / ${swept}u;
  let lastStep = (${last} + ${swept - 1}u) / ${swept}u;`;
  }

  /** The scores of the tile at ownStart, sweptStart. `staged` fills workgroup memory that the step after it reads. */
  compute(staged = ""): string {
    return this.tile.unit === "fma" ? this.#multiplyAdd(staged) : this.#multiplyMatrices(staged);
  }

  #multiplyAdd(staged: string): string {
    const { tile, traits, vectors } = this;
    const { own, swept, threadOwn, depth } = tile;
    const pitch = (rows: number) => rows / 4 + 1;
    const groups = threadOwn / 4;
    return `
    ${repeat(threadOwn, (i) => repeat(vectors, (g) => `var s_${i}_${g} = vec4f(0);`, " "))}
    for (var depth = 0u; depth < ${traits.headSize}u; depth += ${depth}u) {
      workgroupBarrier();
      ${this.#stage(this.own, "ownChunk", "ownStart", "ownBase", own)}
      ${this.#stage(this.swept, "sweptChunk", "sweptStart", "sweptBase", swept)}
      ${staged ? `if (depth == 0u) { ${staged} }` : ""}
      workgroupBarrier();
      for (var d = 0u; d < ${depth}u; d++) {
        ${repeat(groups, (a) => `let o_${a} = ownChunk[d * ${pitch(own)}u + ${(a * own) / threadOwn}u + ownThread];`)}
        ${repeat(vectors, (g) => `let x_${g} = sweptChunk[d * ${pitch(swept)}u + ${g * this.sharers}u + sweptThread];`)}
        ${repeat(threadOwn, (i) => repeat(vectors, (g) => `s_${i}_${g} = fma(vec4f(o_${Math.floor(i / 4)}.${"xyzw"[i % 4]}), x_${g}, s_${i}_${g});`, " "))}
      }
    }`;
  }

  /** Four rows × four elements per item, transposed on the way. Rows past the end repeat the last: masked later. */
  #stage(side: Side, chunk: string, start: string, base: string, rows: number): string {
    const { headSize } = this.traits;
    const { depth } = this.tile;
    const row = headSize / 4;
    const across = depth / 4;
    const pitch = rows / 4 + 1;
    const load = side === "queries" ? "loadQuery" : "loadKey";
    const inside = headSize % depth === 0 ? "" : `if (at < ${row}u)`;
    return `
      for (var item = thread; item < ${(rows / 4) * across}u; item += ${this.threads}u) {
        let at = depth / 4u + item % ${across}u;
        let row = ${start} + item / ${across}u * 4u;
        let last = layer.${side} - 1u;
        ${repeat(4, (r) => `var v_${r} = vec4f(0);`, " ")}
        ${inside} {
          ${repeat(4, (r) => `v_${r} = ${load}(${base} + min(row + ${r}u, last) * ${row}u + at);`)}
        }
        let to = item % ${across}u * ${4 * pitch}u + item / ${across}u;
        ${repeat(4, (c) => `${chunk}[to + ${c * pitch}u] = vec4f(${repeat(4, (r) => `v_${r}.${"xyzw"[c]}`, ", ")});`)}
      }`;
  }

  /** Vectors of eight go where `put` says. All are on their way before the first is waited for. */
  #stageVectors(side: Side, rows: number, put: (row: string, column: string, vector: string) => string): string {
    const row = this.traits.headSize / 8;
    const rounds = Math.ceil((rows * row) / this.threads);
    const [vectors, first, base] = [
      side === "queries" ? "queryVectors" : "keyVectors",
      side === this.own ? "ownStart" : "sweptStart",
      side === this.own ? "ownBase" : "sweptBase",
    ];
    const inside = (n: number) => ((n + 1) * this.threads > rows * row ? `if (row_${n} < ${rows}u)` : "");
    return `{
      ${repeat(
        rounds,
        (n) => `let row_${n} = (thread + ${n * this.threads}u) / ${row}u;
      let column_${n} = (thread + ${n * this.threads}u) % ${row}u;
      let vector_${n} = ${vectors}[${base} + min(${first} + row_${n}, layer.${side} - 1u) * ${row}u + column_${n}];`,
      )}
      ${repeat(rounds, (n) => `${inside(n)} { ${put(`row_${n}`, `column_${n}`, `vector_${n}`)} }`)}
    }`;
  }

  /** Each subgroup keeps its owned rows: as many as it has threads. They come through the memory of the products. */
  get #fragments(): string {
    const pitch = 4 * this.#operandPitch;
    const put = (row: string, column: string, vector: string) =>
      repeat(4, (c) => `products[${row} * ${pitch}u + 4u * ${column} + ${c}u] = ${vector}.${"xyzw"[c]};`, " ");
    const load = (x: number, d: number) =>
      `let right_${x}_${d} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${fragment}, ${fragment}>, col_major>(&products, (subgroupStart + ${x * fragment}u) * ${pitch}u + ${(d * fragment) / 2}u, ${pitch}u);`;
    return `
  let subgroupStart = thread / ${subgroupSize}u * ${subgroupSize}u;
  ${this.#stageVectors(this.own, this.tile.own, put)}
  workgroupBarrier();
  ${repeat(subgroupSize / fragment, (x) => repeat(this.traits.headSize / fragment, (d) => load(x, d)))}
  workgroupBarrier();`;
  }

  #multiplyMatrices(staged: string): string {
    const { swept } = this.tile;
    const [operandPitch, productPitch] = [this.#operandPitch, this.#productPitch];
    const across = subgroupSize / fragment;
    const put = (row: string, column: string, vector: string) =>
      `operand[${row} * ${operandPitch}u + ${column}] = ${vector};`;
    const load = (c: number, d: number) =>
      `let left_${d} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${fragment}, ${fragment}>, row_major>(&operand, ${c * fragment * operandPitch + (d * fragment) / 8}u, ${operandPitch}u);`;
    const product = (c: number) => `products[${c * productPitch}u + ownThread]`;
    return `
    ${this.#stageVectors(this.swept, swept, put)}
    workgroupBarrier();
    ${staged}
    ${repeat(
      swept / fragment,
      (c) => `{
      ${repeat(across, (x) => `var product_${x} = subgroup_matrix_result<f32, ${fragment}, ${fragment}>(0.0);`)}
      ${repeat(
        this.traits.headSize / fragment,
        (d) => `${load(c, d)}
      ${repeat(across, (x) => `product_${x} = subgroupMatrixMultiplyAccumulate(left_${d}, right_${x}_${d}, product_${x});`)}`,
      )}
      ${repeat(across, (x) => `subgroupMatrixStore<row_major>(&products, ${c * fragment * productPitch}u + subgroupStart + ${x * fragment}u, product_${x}, ${productPitch}u);`)}
    }`,
    )}
    workgroupBarrier();
    ${repeat(this.vectors, (g) => `var s_0_${g} = bitcast<vec4f>(vec4u(${repeat(4, (c) => product(4 * g + c), ", ")}));`)}`;
  }

  /** Products → scores, hidden where the query does not see the key. */
  get finish(): string {
    const { traits, tile, own, vectors } = this;
    const queryFirst = own === "queries";
    const distance = (i: number, g: number) => (queryFirst ? `place_${i} - places_${g}` : `places_${g} - place_${i}`);
    const bias = (i: number, g: number) => (!traits.bias ? "vec4f(0)" : queryFirst ? `bias_${g}` : `bias_${i}`);
    const loadBias = (g: number) =>
      `let bias_${g} = vec4f(${repeat(4, (c) => `keyBias[headNumber * layer.biasStride + min(swept_${g} + ${c}u, layer.keys - 1u)]`, ", ")});`;
    const loadPieces = (g: number) =>
      `let piece_${g} = vec4i(${repeat(4, (c) => `pieces[min(swept_${g} + ${c}u, layer.${this.swept} - 1u)]`, ", ")});`;
    const piece = (i: number, g: number) => {
      if (!traits.pieces) return "vec4i(0), vec4i(0)";
      return queryFirst ? `ownPiece_${i}, piece_${g}` : `piece_${g}, ownPiece_${i}`;
    };
    return `
    ${repeat(
      vectors,
      (g) => `let swept_${g} = sweptStart + ${this.#sweptIndex(g)};
    let places_${g} = f32(swept_${g}) + vec4f(0, 1, 2, 3);
    ${traits.bias && queryFirst ? loadBias(g) : ""}
    ${traits.pieces ? loadPieces(g) : ""}`,
    )}
    ${repeat(tile.threadOwn, (i) => repeat(vectors, (g) => `s_${i}_${g} = scored(s_${i}_${g}, ${distance(i, g)}, ${bias(i, g)}, head);`))}
    if (${this.#edge}) {
      ${repeat(
        vectors,
        (g) => `let inside_${g} = places_${g} < vec4f(f32(layer.${this.swept}));
      ${repeat(tile.threadOwn, (i) => `s_${i}_${g} = select(vec4f(${hiddenScore}), s_${i}_${g}, visible(${distance(i, g)}, ${piece(i, g)}) & inside_${g} & vec4<bool>(own_${i} < layer.${own}));`)}`,
      )}
    }`;
  }

  /** Whether some pair of the tile may be hidden. */
  get #edge(): string {
    const { causal, window, pieces } = this.traits;
    if (pieces) return "true";
    const { own, swept } = this.tile;
    const [query, key] = this.own === "queries" ? ["ownStart", "sweptStart"] : ["sweptStart", "ownStart"];
    const [queries, keys] = this.own === "queries" ? [own, swept] : [swept, own];
    const conditions = [`${query} + ${queries}u > layer.queries`, `${key} + ${keys}u > layer.keys`];
    if (causal) conditions.push(`${key} + ${keys - 1}u > ${query}`);
    if (window) conditions.push(`${query} + ${queries - 1}u >= ${key} + layer.window`);
    if (window && !causal) conditions.push(`${key} + ${keys - 1}u >= ${query} + layer.window`);
    return conditions.join(" || ");
  }
}
