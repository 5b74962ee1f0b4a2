/**
 * Routes of information: which edges of attention a prediction can be traced back along. A part p of a sum w counts
 * max(‖w‖₁ − ‖w − p‖₁, ε), divided by the same summed over all parts; parts of at most τ are dropped.
 * Source: "Information Flow Routes" (arXiv 2403.00824) and its code,
 * https://github.com/facebookresearch/llm-transparency-tool (routes/contributions.py, routes/graph.py).
 */

const epsilon = 1e-5;

/** How much each part counts in a sum; all together 1. @param parts [parts] × [width] @param whole their sum, [width] */
export function proximities(parts: readonly ArrayLike<number>[], whole: ArrayLike<number>): Float64Array {
  let length = 0;
  for (let i = 0; i < whole.length; ++i) length += Math.abs(whole[i]);
  const near = Float64Array.from(parts, (part) => {
    let rest = 0;
    for (let i = 0; i < whole.length; ++i) rest += Math.abs(whole[i] - part[i]);
    return Math.max(length - rest, epsilon);
  });
  const sum = near.reduce((total, value) => total + value, 0);
  return near.map((value) => value / sum);
}

/** An edge of attention, from a token to what it takes from another one. */
export interface Edge {
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  readonly key: number;
  /** Its share of the attention step. */
  readonly share: number;
}

/** One token's attention step: what its heads take from each token, and the stream. */
export interface Step {
  readonly edges: readonly Edge[];
  /** Share of the stream before. */
  readonly stream: number;
}

/**
 * The edges above τ that can be reached from a token after the last layer, downwards. A token's MLP reads its own stream,
 * so that it leads nowhere else.
 * @param step the attention step of a token in a layer; asked for each that is reached, once
 */
export function routeFrom(
  token: number,
  layers: number,
  tau: number,
  step: (layer: number, token: number) => Step,
): Edge[] {
  const route: Edge[] = [];
  let reached = new Set([token]);
  for (let layer = layers - 1; layer >= 0; --layer) {
    const below = new Set<number>();
    for (const query of reached) {
      const { edges, stream } = step(layer, query);
      if (stream > tau) below.add(query);
      for (const edge of edges) {
        if (edge.share <= tau) continue;
        route.push(edge);
        below.add(edge.key);
      }
    }
    reached = below;
  }
  return route;
}
