/**
 * The diagonal pass: attention by distance summed over queries, Σ_q A[q, q − d], for causal attention. A workgroup
 * walks along one band of square tiles parallel to the diagonal, so that its sums stay in registers and no two
 * workgroups add to the same place.
 */
import { normalisations, probabilityMemory, storeProbabilities } from "./mix.js";
import { Scores, type Tile } from "./scores.js";
import { declarations, firstBinding, type Traits } from "./scoring.js";

/** Reads rows as the row pass writes them; writes bands [heads, bands, 2, tile], which `sumBands` adds up. */
export function distancesShader(traits: Traits, tile: Tile): string {
  const scores = new Scores(traits, tile, "queries");
  const binding = firstBinding(traits);
  const side = tile.own;
  if (scores.threads !== side || tile.swept !== side)
    throw new Error("The diagonal pass needs a thread per diagonal of square tiles.");
  return `
${declarations(traits)}
@group(0) @binding(${binding}) var<storage, read> rows: array<vec4f>;
@group(0) @binding(${binding + 1}) var<storage, read_write> bands: array<f32>;
${scores.memory}
${probabilityMemory(tile)}
@compute @workgroup_size(${scores.threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = workgroupNumber(id);
  if (number >= slice.end) { return; }
  let tiles = (layer.queries + ${side - 1}u) / ${side}u;
  let band = number % tiles;
  let headNumber = layer.firstHead + number / tiles;
  let keyHead = headNumber / layer.group - layer.firstHead / layer.group;
  var near = 0f; // distance band · side + thread − side
  var far = 0f; // distance band · side + thread
  for (var step = band; step < tiles; step++) {
    let ownStart = step * ${side}u;
    let sweptStart = (step - band) * ${side}u;
    ${scores.prologue}
    ${normalisations(tile)}
    ${scores.compute()}
    ${scores.finish}
    ${storeProbabilities(scores)}
    workgroupBarrier();
    for (var k = 0u; k < ${side}u; k++) {
      let q = (k + thread) % ${side}u;
      let p = probabilities[k * ${side / 4 + 1}u + q / 4u][q % 4u];
      if (k + thread < ${side}u) { far += p; } else { near += p; }
    }
  }
  let at = (headNumber * tiles + band) * ${2 * side}u + thread;
  bands[at] = near;
  bands[at + ${side}u] = far;
}`;
}

/** @returns [heads, distances] */
export function sumBands(bands: Float32Array, heads: number, tokens: number, side: number): Float32Array {
  const count = Math.ceil(tokens / side);
  const distances = new Float32Array(heads * tokens);
  for (let head = 0; head < heads; head++) {
    for (let band = 0; band < count; band++) {
      for (let i = 0; i < 2 * side; i++) {
        const distance = (band - 1) * side + i;
        if (distance < 0 || distance >= tokens) continue;
        distances[head * tokens + distance] += bands[(head * count + band) * 2 * side + i];
      }
    }
  }
  return distances;
}
