/** The pattern pass: each query's attention to one key of its own, given each row's normalisation. */
import { declarations, firstBinding, type Traits } from "./scoring.js";

export const patternThreads = 64;

/** Reads rows as the row pass writes them and targets [patterns, queries]; writes found [heads, patterns, queries], 0 where there is no target. */
export function patternShader(traits: Traits): string {
  const binding = firstBinding(traits);
  const { headSize, bias, pieces } = traits;
  const row = headSize / 4;
  return `
${declarations(traits)}
@group(0) @binding(${binding}) var<storage, read> rows: array<vec4f>;
@group(0) @binding(${binding + 1}) var<storage, read> targets: array<i32>;
@group(0) @binding(${binding + 2}) var<storage, read_write> found: array<f32>;
@compute @workgroup_size(${patternThreads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = workgroupNumber(id);
  if (number >= slice.end) { return; }
  let patterns = arrayLength(&targets) / layer.queries;
  let groups = (layer.queries + ${patternThreads - 1}u) / ${patternThreads}u;
  let query = number % groups * ${patternThreads}u + thread;
  let headNumber = layer.firstHead + number / groups / patterns;
  let pattern = number / groups % patterns;
  if (query >= layer.queries) { return; }
  let chosen = targets[pattern * layer.queries + query];
  let at = (headNumber * patterns + pattern) * layer.queries + query - slice.origin;
  if (chosen < 0) { found[at] = 0; return; }
  let key = u32(chosen);
  let queryBase = layer.queryOffset + ((headNumber - layer.firstHead) * layer.queries + query) * ${row}u;
  let keyBase = layer.keyOffset + ((headNumber / layer.group - layer.firstHead / layer.group) * layer.keys + key) * ${row}u;
  var product = vec4f(0);
  for (var d = 0u; d < ${row}u; d++) { product = fma(loadQuery(queryBase + d), loadKey(keyBase + d), product); }
  let distance = vec4f(f32(query) - f32(key));
  let s = scored(vec4f((product.x + product.y) + (product.z + product.w)), distance, ${bias ? "vec4f(keyBias[headNumber * layer.biasStride + key])" : "vec4f(0)"}, layer.heads[headNumber]);
  let seen = visible(distance, ${pieces ? "vec4i(pieces[query]), vec4i(pieces[key])" : "vec4i(0), vec4i(0)"});
  found[at] = select(0, exp2(s.x - rows[headNumber * layer.queries + query].y), seen.x);
}`;
}
