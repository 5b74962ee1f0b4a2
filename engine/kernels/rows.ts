/**
 * The row pass: how each query spreads its attention, in one sweep over its keys. Every thread keeps a running
 * maximum m of its own share of a row, and with p = exp2(s − m) the sums Σ p, Σ p · (s − m) and Σ p · (q − k), rescaled
 * when m rises (Milakov and Gimelshein 2018, https://arxiv.org/abs/1805.02867); shares meet at the end. Entropy is
 * ln Z − ln 2 · Σ p (s − m) / Z, all of it centred on the row's maximum: a sum of small terms.
 */
import { repeat, Scores, type Tile } from "./scores.js";
import { firstBinding, lowestMaximum, type Traits } from "./scoring.js";
import { sweep } from "./sweep.js";

/** Writes rows [heads, queries, 4]: largest probability, log2 of the normalisation, entropy, mean distance; and top keys. */
export function rowsShader(traits: Traits, tile: Tile): string {
  const scores = new Scores(traits, tile, "queries");
  const { threads, vectors, sharers } = scores;
  const binding = firstBinding(traits);
  const largest = (i: number) => {
    const vector = `${repeat(vectors - 1, () => "max(", "")}s_${i}_0${repeat(vectors - 1, (g) => `, s_${i}_${g + 1})`, "")}`;
    return `let t_${i} = ${vector};
    let top_${i} = max(max(t_${i}.x, t_${i}.y), max(t_${i}.z, t_${i}.w));`;
  };
  const rescale = (i: number) => `
    if (top_${i} > m_${i}) {
      let c = exp2(m_${i} - top_${i});
      e_${i} = c * (e_${i} + z_${i} * (m_${i} - top_${i}));
      z_${i} *= c; d_${i} *= c; m_${i} = top_${i};
      ${repeat(4 * vectors, (n) => {
        const at = 4 * vectors - 1 - n; // descending, so that the first of equals wins
        return `if (s_${i}_${Math.floor(at / 4)}.${"xyzw"[at % 4]} == top_${i}) { k_${i} = swept_${Math.floor(at / 4)} + ${at % 4}u; }`;
      })}
    }`;
  const accumulate = (i: number) => {
    const offsets = (g: number) => repeat(4, (c) => String(scores.sweptOffset(g) + c), ", ");
    return `{
      var z = 0f; var e = 0f; var places = 0f;
      ${repeat(
        vectors,
        (g) => `{ let centred = s_${i}_${g} - vec4f(m_${i}); let p = exp2(centred);
        z += (p.x + p.y) + (p.z + p.w); e += dot(p, centred); places += dot(p, vec4f(${offsets(g)})); }`,
      )}
      z_${i} += z; e_${i} += e; d_${i} += z * (place_${i} - f32(sweptStart + sweptThread * ${scores.sweptThreadFactor}u)) - places;
    }`;
  };
  const merge = (i: number) => `
  workgroupBarrier();
  shares[ownThread * ${sharers}u + sweptThread] = vec4f(m_${i}, z_${i}, e_${i}, d_${i});
  tops[ownThread * ${sharers}u + sweptThread] = k_${i};
  workgroupBarrier();
  if (sweptThread == 0u && own_${i} < layer.queries) {
    for (var other = 1u; other < ${sharers}u; other++) {
      let share = shares[ownThread * ${sharers}u + other];
      let key = tops[ownThread * ${sharers}u + other];
      if (share.x > m_${i} || (share.x == m_${i} && key < k_${i})) { k_${i} = key; }
      let m = max(m_${i}, share.x);
      let a = exp2(m_${i} - m);
      let b = exp2(share.x - m);
      e_${i} = a * (e_${i} + z_${i} * (m_${i} - m)) + b * (share.z + share.y * (share.x - m));
      z_${i} = a * z_${i} + b * share.y;
      d_${i} = a * d_${i} + b * share.w;
      m_${i} = m;
    }
    let at = headNumber * layer.queries + own_${i};
    rows[at] = summary(m_${i}, z_${i}, e_${i}, d_${i}, head.w);
    topKeys[at] = k_${i};
  }`;
  return sweep(scores, {
    bindings: `
@group(0) @binding(${binding}) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(${binding + 1}) var<storage, read_write> topKeys: array<u32>;`,
    memory: `
var<workgroup> shares: array<vec4f, ${threads}>;
var<workgroup> tops: array<u32, ${threads}>;
${summary(traits.sinks)}`,
    begin: repeat(
      tile.threadOwn,
      (i) => `var m_${i} = f32(${lowestMaximum}); var z_${i} = 0f; var e_${i} = 0f; var d_${i} = 0f; var k_${i} = 0u;`,
    ),
    step: repeat(tile.threadOwn, (i) => largest(i) + rescale(i) + accumulate(i)),
    finish: repeat(tile.threadOwn, merge),
  });
}

/** A learned sink takes its part of every row and is no key: probabilities sum to z / total. */
const summary = (sinks: boolean): string => `
fn summary(m: f32, z: f32, e: f32, d: f32, sink: f32) -> vec4f {
  let centre = ${sinks ? "max(m, sink)" : "m"};
  let c = exp2(m - centre);
  let sum = c * z;
  let total = sum ${sinks ? "+ exp2(sink - centre)" : ""};
  let entropy = 0.6931471805599453 * (sum * log2(total) - c * (e + z * (m - centre))) / total;
  return vec4f(c / total, centre + log2(total), max(entropy, 0), c * d / total);
}`;
