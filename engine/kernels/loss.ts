/** What a language model's loss needs from its logits: the log-sum-exp of each row, its largest, and that of the next token. */
import { sliceDeclaration } from "./gpu.js";

const threads = 128;

/** Reads logits [rows, vocabulary] and next ids [rows]; writes losses [rows, 4] = log-sum-exp (nats), largest, next, 0. */
export const lossShader = (vocabulary: number): string => `${sliceDeclaration}
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> next: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<vec4f>;
var<workgroup> shares: array<vec2f, ${threads}>; // largest, Σ exp(x − largest)
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = workgroupNumber(id);
  if (row >= slice.end) { return; }
  let base = row * ${vocabulary}u;
  var m = -3e38f;
  var z = 0f;
  for (var i = thread; i < ${vocabulary}u; i += ${threads}u) {
    let x = logits[base + i];
    let larger = max(m, x);
    z = z * exp(m - larger) + exp(x - larger);
    m = larger;
  }
  shares[thread] = vec2f(m, z);
  workgroupBarrier();
  if (thread == 0u) {
    for (var other = 1u; other < ${threads}u; other++) {
      let share = shares[other];
      let larger = max(m, share.x);
      z = z * exp(m - larger) + share.y * exp(share.x - larger);
      m = larger;
    }
    losses[row] = vec4f(m + log(z), m, logits[base + next[row]], 0);
  }
}`;
