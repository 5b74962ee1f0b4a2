/**
 * The mixing pass: Σ_k A[q,k] · v[k,c], given each row's normalisation. With a head's values for v it gives the
 * attention's output; with weights that all heads share, the mass that each query puts on each weighted set of keys.
 */
import { repeat, Scores, type Tile, threadsOf } from "./scores.js";
import { type FloatType, firstBinding, loader, type Traits } from "./scoring.js";
import { sweep } from "./sweep.js";

export interface Values {
  /** A multiple of 4. */
  readonly columns: number;
  readonly type: FloatType;
  /** One matrix for all heads instead of one per key–value head. */
  readonly shared: boolean;
}

/** Columns that one workgroup mixes: no more than 64, no fewer than give each thread 4 × 4 outputs. */
export function columnsPerGroup({ columns }: Values, tile: Tile): number {
  const least = (16 * threadsOf(tile)) / tile.own;
  return Math.max(least, columns > 32 ? 64 : columns > 16 ? 32 : 16);
}

/** Reads rows as the row pass writes them and values [keyValueHeads | 1, keys, columns]; writes mixed [heads, queries, columns]. */
export function mixShader(traits: Traits, tile: Tile, values: Values): string {
  const scores = new Scores(traits, tile, "queries");
  const binding = firstBinding(traits);
  const { own, swept, depth } = tile;
  const { threads } = scores;
  const columns = columnsPerGroup(values, tile);
  const each = (own * columns) / threads; // outputs of a thread
  const outRows = each >= 64 ? 8 : 4;
  const outVectors = each / outRows / 4;
  const across = columns / 4 / outVectors; // threads side by side
  const pitch = own / 4 + 1;
  const width = values.columns / 4;
  let chunk = swept; // keys whose values are staged together, in the memory of the swept operand
  while ((chunk * columns) / 4 > depth * (swept / 4 + 1)) chunk /= 2;
  return sweep(scores, {
    parts: `${Math.ceil(values.columns / columns)}u`,
    listed: values.shared,
    bindings: `
@group(0) @binding(${binding}) var<storage, read> rows: array<vec4f>;
@group(0) @binding(${binding + 1}) var<storage, read> values: array<${values.type === "f32" ? "vec4f" : "vec2u"}>;
@group(0) @binding(${binding + 2}) var<storage, read_write> mixed: array<vec4f>;
${values.shared ? `@group(0) @binding(${binding + 3}) var<storage, read> steps: array<u32>;` : ""}
${loader("Value", "values", values.type)}`,
    memory: probabilityMemory(tile),
    begin: `
  let outRow = thread / ${across}u;
  let outColumn = thread % ${across}u;
  let valueBase = ${values.shared ? "0u" : `layer.keyOffset + keyHead * layer.keys * ${width}u`} + part * ${columns / 4}u;
  ${normalisations(tile)}
  ${repeat(outRows, (r) => repeat(outVectors, (b) => `var out_${r}_${b} = vec4f(0);`, " "))}`,
    step: `
    ${storeProbabilities(scores)}
    for (var chunk = 0u; chunk < ${swept}u; chunk += ${chunk}u) {
      workgroupBarrier();
      for (var item = thread; item < ${(chunk * columns) / 4}u; item += ${threads}u) {
        let column = item % ${columns / 4}u;
        let key = min(sweptStart + chunk + item / ${columns / 4}u, layer.keys - 1u);
        var v = vec4f(0);
        if (part * ${columns / 4}u + column < ${width}u) { v = loadValue(valueBase + key * ${width}u + column); }
        sweptChunk[item] = v;
      }
      workgroupBarrier();
      for (var k = 0u; k < ${chunk}u; k++) {
        ${repeat(outRows / 4, (a) => `let p_${a} = probabilities[(chunk + k) * ${pitch}u + ${(a * own) / outRows}u + outRow];`)}
        ${repeat(outVectors, (b) => `let v_${b} = sweptChunk[k * ${columns / 4}u + ${b * across}u + outColumn];`)}
        ${repeat(outRows, (r) => repeat(outVectors, (b) => `out_${r}_${b} = fma(vec4f(p_${Math.floor(r / 4)}.${"xyzw"[r % 4]}), v_${b}, out_${r}_${b});`, " "))}
      }
    }`,
    finish: repeat(
      outRows,
      (r) => `{
    let query = ownStart + ${Math.floor(r / 4) * ((4 * own) / outRows) + (r % 4)}u + 4u * outRow;
    if (query < layer.queries) {
      ${repeat(
        outVectors,
        (b) => `{ let column = part * ${columns / 4}u + ${b * across}u + outColumn;
      if (column < ${width}u) { mixed[(headNumber * layer.queries + query) * ${width}u + column - slice.origin] = out_${r}_${b}; } }`,
      )}
    }
  }`,
    ),
  });
}

/** Workgroup memory for a tile of probabilities: [swept, own / 4], padded. */
export const probabilityMemory = ({ own, swept }: Tile): string =>
  `var<workgroup> probabilities: array<vec4f, ${swept * (own / 4 + 1)}>;`;

/** The thread's owned queries' normalisations, l_OWN. */
export const normalisations = ({ threadOwn }: Tile): string =>
  repeat(threadOwn, (i) => `let l_${i} = rows[headNumber * layer.queries + min(own_${i}, layer.queries - 1u)].y;`);

/** The tile's scores become probabilities in workgroup memory; readable after a barrier. */
export function storeProbabilities({ tile, vectors, sharers }: Scores): string {
  const { own, threadOwn } = tile;
  const pitch = own / 4 + 1;
  return repeat(
    vectors,
    (g) => `
    ${repeat(threadOwn, (i) => `let p_${i}_${g} = exp2(s_${i}_${g} - vec4f(l_${i}));`, " ")}
    ${repeat(threadOwn / 4, (a) =>
      repeat(
        4,
        (c) =>
          `probabilities[(${g * 4 * sharers + c}u + 4u * sweptThread) * ${pitch}u + ${(a * own) / threadOwn}u + ownThread] = vec4f(${repeat(4, (r) => `p_${4 * a + r}_${g}.${"xyzw"[c]}`, ", ")});`,
      ),
    )}`,
  );
}
