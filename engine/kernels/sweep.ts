/** A shader whose workgroups own one tile each of queries or keys and sweep over the tiles of the other side. */
import { repeat, type Scores } from "./scores.js";
import { declarations } from "./scoring.js";

export interface SweepParts {
  /** Bindings beyond those of the scores. */
  readonly bindings: string;
  /** Workgroup memory and functions. */
  readonly memory?: string;
  /** Fills workgroup memory for the swept tile. */
  readonly staged?: string;
  /** Before the sweep. */
  readonly begin: string;
  /** For each tile, with its scores s_OWN_VECTOR. */
  readonly step: string;
  /** After the sweep. */
  readonly finish: string;
  /** Only the tiles whose numbers are in the storage buffer `steps`. */
  readonly listed?: boolean;
  /** Workgroups per owned tile; the number of this one is `part`. */
  readonly parts?: string;
}

export function sweep(scores: Scores, { listed, parts = "1u", ...text }: SweepParts): string {
  const { tile, traits, own, threads } = scores;
  const lateFirst = own === "queries" && traits.causal; // the longest sweeps first, so that none is left for the end
  return `${scores.extensions}
${declarations(traits)}
${text.bindings}
${scores.memory}
${text.memory ?? ""}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  let number = workgroupNumber(id);
  if (number >= slice.end) { return; }
  let tiles = (layer.${own} + ${tile.own - 1}u) / ${tile.own}u;
  let parts = ${parts};
  let part = number % parts;
  let order = number / parts % tiles;
  let headNumber = layer.firstHead + number / parts / tiles;
  let keyHead = headNumber / layer.group - layer.firstHead / layer.group;
  let ownStart = ${lateFirst ? "(tiles - 1u - order)" : "order"} * ${tile.own}u;
  ${scores.prologue}
  ${scores.range}
  ${text.begin}
  ${
    listed
      ? `for (var entry = 0u; entry < arrayLength(&steps); entry++) {
    let step = steps[entry];
    if (step < firstStep || step >= lastStep) { continue; }`
      : "for (var step = firstStep; step < lastStep; step++) {"
  }
    let sweptStart = step * ${tile.swept}u;
    ${scores.compute(text.staged)}
    ${scores.finish}
    ${text.step}
  }
  ${text.finish}
}`;
}

/**
 * Adds what the sharers of each owned row hold, through workgroup memory `shared` of one element per thread; the
 * first sharer goes on with the sum of all under the same name.
 */
export function addSharers(scores: Scores, shared: string, names: (i: number) => string): string {
  return repeat(
    scores.tile.threadOwn,
    (i) => `
  workgroupBarrier();
  ${shared}[ownThread * ${scores.sharers}u + sweptThread] = ${names(i)};
  workgroupBarrier();
  if (sweptThread == 0u) {
    for (var other = 1u; other < ${scores.sharers}u; other++) { ${names(i)} += ${shared}[ownThread * ${scores.sharers}u + other]; }
  }`,
  );
}
