/**
 * One forward pass over one token sequence: what goes in, what can be asked for, what comes out.
 *
 * Visibility: query q sees key k iff k ≤ q, the layer's window allows it, the key is not evicted, and (where `pieces` is
 * given) pieces[k] = 0, or pieces[q] = pieces[k], or pieces[q] = −1; a selection leaves some of these. Final scores are
 *   s[h,q,k] = (q·k · scale, soft-capped where the model does, plus its ALiBi) / temperature[l,h]
 *              + keyBias[l,h,k] · 1[k < q]
 * so that no row ever loses its own token. Learned sinks are scores too, and divided by the temperature.
 */

/** Values per layer, head and (for key biases) token; a dimension of 1 is broadcast. */
export interface Broadcast {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Vectors that replace, or are added to, the residual stream at some tokens. */
export interface ResidualPatch {
  /** Before this block, from 0; the number of layers for the stream after the last block. */
  readonly layer: number;
  readonly mode: "replace" | "add";
  readonly tokens: Int32Array; // [patched]
  readonly values: Float32Array; // [patched, width]
}

/**
 * Queries that choose their keys anew, each for itself: of the first `keys` keys that it sees otherwise, a query from
 * `from` on sees in each head only the `keep` of the highest approximate score, the product of query and key in few
 * directions (ties with the last of these stay). What comes after these keys it sees as ever. Queries and keys are those
 * after position encoding; biases have no part in the choice, but keys that they hide are not chosen.
 */
export interface Selection {
  readonly directions: Float32Array; // [layers, keyValueHeads, headSize, rank]
  readonly rank: number;
  readonly keep: number;
  readonly from: number; // at least `keys`
  readonly keys: number;
}

export interface Prompt {
  readonly ids: Int32Array; // [tokens], start token included where the model was trained with one
  /** Positions for the position encoding; default 0, 1, 2, … */
  readonly positions?: Int32Array; // [tokens]
  /** Parallel context encoding: 0 = shared prefix, n ≥ 1 = piece n, −1 = sees everything before it. */
  readonly pieces?: Int32Array; // [tokens]
  /** Added to the scores of later queries at each key; −∞ hides the key. Cheapest with dimensions [1, 1, tokens]. */
  readonly keyBias?: Broadcast; // [layers | 1, heads | 1, tokens]
  /** Multiplies each head's output before the output projection. */
  readonly headGate?: Broadcast; // [layers | 1, heads | 1]
  /** Divides the scores. */
  readonly temperature?: Broadcast; // [layers | 1, heads | 1]
  /**
   * Hides each key from the given query on: a cache that has dropped it. At least key + 1; from the number of tokens on
   * the key stays. Cheapest with dimensions [1, 1, tokens].
   */
  readonly eviction?: { readonly data: Int32Array; readonly dims: readonly number[] }; // [layers | 1, heads | 1, tokens]
  readonly selection?: Selection;
  /** Applied in the order given. */
  readonly residualPatches?: readonly ResidualPatch[];
}

/** What to report. What is not asked for is not in the graph and costs nothing. */
export interface Request {
  /** Entropy, maximum, mean distance per query. */
  readonly rows?: boolean;
  /** Attention mass that each query puts on each weighted set of keys: Σ_k A[q,k] · w[k]; weights of 0 and 1 for a segment. */
  readonly keySegments?: readonly Float32Array[]; // segments × [tokens]
  /** Attention that each key receives from each weighted set of queries: Σ_q w[q] · A[q,k]. */
  readonly queryGroups?: readonly Float32Array[]; // groups × [tokens]
  /** Probability at one key per query (previous token, induction target, needle); −1 = none, reported as NaN. */
  readonly targets?: readonly Int32Array[]; // patterns × [tokens]
  /** Attention on each query's k most attended keys together, for each of these k. */
  readonly topMass?: readonly number[];
  /** Attention by distance summed over queries: Σ_q A[q, q − d]. */
  readonly distances?: boolean;
  /** Norms of queries and keys (after position encoding), values and the residual stream, and how alike its tokens are. */
  readonly norms?: boolean;
  /** Queries, keys and values as attention sees them (queries and keys after position encoding), and the residual stream. */
  readonly vectors?: boolean;
  /** `loss`: log-probability of the next token and whether it was the most likely one; `last`/`all`: logits too. */
  readonly logits?: "loss" | "last" | "all";
  /** The full matrix. Memory grows with tokens²: for short prompts, tests and drawings only. */
  readonly attention?: boolean;
  /** One matrix: the attention of all heads added up with these weights. 1 for one head and 0 elsewhere gives that head's. */
  readonly headWeights?: Float32Array; // [layers · heads]
  /** Mean over heads of the scores (ALiBi included) before keyBias, masking and softmax, all keys included. Memory grows with tokens². */
  readonly scores?: boolean;
}

/** A dense row-major array of float32. */
export interface Values {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export interface Forward {
  readonly tokens: number;
  /** A position lies beyond what the model was trained on (rotary positions go on; learned ones are refused). */
  readonly beyondTrainedLength: boolean;
  readonly entropy?: Values; // [layers, heads, queries], nats
  readonly maximum?: Values; // [layers, heads, queries]
  readonly meanDistance?: Values; // [layers, heads, queries], tokens
  readonly mass?: Values; // [layers, heads, segments, queries]
  readonly received?: Values; // [layers, heads, groups, keys]
  readonly pattern?: Values; // [layers, heads, patterns, queries]
  readonly topMass?: Values; // [layers, heads, sizes, queries]
  readonly distances?: Values; // [layers, heads, distance]
  readonly queryNorm?: Values; // [layers, heads, queries]
  readonly keyNorm?: Values; // [layers, keyValueHeads, keys]
  readonly valueNorm?: Values; // [layers, keyValueHeads, keys]
  /** q and k of the scores above, after norms and position encoding; head h reads keys ⌊h · keyValueHeads / heads⌋. */
  readonly queries?: Values; // [layers, heads, tokens, headSize]
  readonly keys?: Values; // [layers, keyValueHeads, tokens, headSize]
  readonly values?: Values; // [layers, keyValueHeads, tokens, headSize]
  readonly residual?: Values; // [layers + 1, tokens, width]: before each block, and after the last
  readonly residualNorm?: Values; // [layers + 1, tokens]: before each block, and after the last
  readonly uniformity?: Values; // [layers + 1]: of the same streams, from 0 (all tokens alike) to 1
  readonly logProbability?: Float32Array; // [tokens − 1]: of token t + 1 given tokens 0…t, nats
  readonly correct?: Uint8Array; // [tokens − 1]: 1 where token t + 1 was the most likely one
  readonly logits?: Values; // [tokens | 1, vocabulary]
  readonly attention?: Values; // [layers, heads, queries, keys]
  readonly mixture?: Values; // [queries, keys]: Σ over heads of headWeights · attention
  readonly scores?: Values; // [layers, queries, keys]
}

export interface ForwardOptions {
  /** Queries per run of the graph; by default chosen by length. Memory grows with chunk · tokens; the numbers stay the same. */
  readonly chunk?: number;
  /** Stops between two chunks. */
  readonly signal?: AbortSignal;
  /** Called after each chunk with the number of tokens that are done. */
  readonly progress?: (tokens: number) => void;
}
