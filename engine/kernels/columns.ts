/** The column pass: what each key receives from weighted groups of queries, Σ_q w[q] · A[q,k], given each row's normalisation. */
import { repeat, Scores, type Tile } from "./scores.js";
import { firstBinding, type Traits } from "./scoring.js";
import { addSharers, sweep } from "./sweep.js";

/** Query groups that one sweep serves. */
export const groupsPerSweep = 4;

/** Reads rows as the row pass writes them and weights [groups, queries]; writes received [heads, groups, keys]. */
export function columnsShader(traits: Traits, tile: Tile, groups: number): string {
  const scores = new Scores(traits, tile, "keys");
  const binding = firstBinding(traits);
  const { vectors, sharers } = scores;
  const from = (memory: string, g: number, offset = 0) =>
    `${memory}[${offset + scores.sweptOffset(g) / 4}u + sweptThread * ${scores.sweptThreadFactor / 4}u]`;
  const quarter = tile.swept / 4;
  return sweep(scores, {
    listed: true,
    bindings: `
@group(0) @binding(${binding}) var<storage, read> rows: array<vec4f>;
@group(0) @binding(${binding + 1}) var<storage, read> weights: array<f32>;
@group(0) @binding(${binding + 2}) var<storage, read> steps: array<u32>;
@group(0) @binding(${binding + 3}) var<storage, read_write> received: array<f32>;`,
    memory: `
var<workgroup> normalisations: array<vec4f, ${quarter}>;
var<workgroup> queryWeights: array<vec4f, ${groups * quarter}>; // [groups, swept]
var<workgroup> shares: array<f32, ${scores.threads}>;`,
    staged: `
      for (var item = thread; item < ${quarter}u; item += ${scores.threads}u) {
        let last = layer.queries - 1u;
        ${repeat(4, (c) => `let q_${c} = min(sweptStart + 4u * item + ${c}u, last);`)}
        normalisations[item] = vec4f(${repeat(4, (c) => `rows[headNumber * layer.queries + q_${c}].y`, ", ")});
        ${repeat(groups, (n) => `queryWeights[${n * quarter}u + item] = vec4f(${repeat(4, (c) => `weights[${n}u * layer.queries + q_${c}]`, ", ")});`)}
      }`,
    begin: repeat(tile.threadOwn, (i) => repeat(groups, (n) => `var a_${i}_${n} = 0f;`, " ")),
    step: `
    ${repeat(
      vectors,
      (g) => `{ let normalisation = ${from("normalisations", g)};
      ${repeat(groups, (n) => `let w_${n} = ${from("queryWeights", g, n * quarter)};`, " ")}
      ${repeat(tile.threadOwn, (i) => `{ let p = exp2(s_${i}_${g} - normalisation); ${repeat(groups, (n) => `a_${i}_${n} += dot(p, w_${n});`, " ")} }`)}
    }`,
    )}`,
    finish: repeat(
      groups,
      (n) => `
  ${sharers > 1 ? addSharers(scores, "shares", (i) => `a_${i}_${n}`) : ""}
  if (sweptThread == 0u) {
    ${repeat(tile.threadOwn, (i) => `if (own_${i} < layer.keys) { received[(headNumber * ${groups}u + ${n}u) * layer.keys + own_${i}] = a_${i}_${n}; }`)}
  }`,
    ),
  });
}
