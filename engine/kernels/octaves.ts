/** The octave pass: how much attention each query gives to distances 0, 1, 2–3, 4–7, …, given each row's normalisation. */
import { normalisations } from "./mix.js";
import { repeat, Scores, type Tile } from "./scores.js";
import { firstBinding, type Traits } from "./scoring.js";
import { addSharers, sweep } from "./sweep.js";

/** Octaves of distances below 2^24, beyond which float32 does not count. */
export const octaveCount = 25;

/** Reads rows as the row pass writes them; writes octaves [heads, octaves, queries]. */
export function octavesShader(traits: Traits, tile: Tile): string {
  const scores = new Scores(traits, tile, "queries");
  const binding = firstBinding(traits);
  return sweep(scores, {
    bindings: `
@group(0) @binding(${binding}) var<storage, read> rows: array<vec4f>;
@group(0) @binding(${binding + 1}) var<storage, read_write> octaves: array<f32>;`,
    memory: `
var<workgroup> shares: array<f32, ${scores.threads}>;
fn octaveOf(query: u32, key: u32) -> u32 { return 32u - countLeadingZeros(max(query, key) - min(query, key)); }`,
    begin: `${normalisations(tile)}
  ${repeat(tile.threadOwn, (i) => `var o_${i}: array<f32, ${octaveCount}>;`)}`,
    step: repeat(tile.threadOwn, (i) =>
      repeat(
        scores.vectors,
        (g) => `{ let p = exp2(s_${i}_${g} - vec4f(l_${i}));
      let first = octaveOf(own_${i}, swept_${g});
      if (first == octaveOf(own_${i}, swept_${g} + 3u)) { o_${i}[first] += (p.x + p.y) + (p.z + p.w); } else {
        o_${i}[first] += p.x;
        ${repeat(3, (c) => `o_${i}[octaveOf(own_${i}, swept_${g} + ${c + 1}u)] += p.${"yzw"[c]};`, " ")}
      } }`,
      ),
    ),
    finish: `
  for (var octave = 0u; octave < ${octaveCount}u; octave++) {
    ${addSharers(scores, "shares", (i) => `o_${i}[octave]`)}
    if (sweptThread == 0u) {
      ${repeat(tile.threadOwn, (i) => `if (own_${i} < layer.queries) { octaves[(headNumber * ${octaveCount}u + octave) * layer.queries + own_${i} - slice.origin] = o_${i}[octave]; }`)}
    }
  }`,
  });
}
