/** Models that attend as a test says, so that an effect is planted in what an experiment measures, and not in its evidence. */
import type { Forward, Prompt, Request } from "../../../engine/forward.js";
import type { Model } from "../../../engine/model.js";
import type { Context, Experiment, Parameters } from "../../../loaders/experiment.js";
import { judged } from "./pure.js";
import { characterTokenizer } from "./subject.js";

export interface Planted {
  readonly layers: number;
  readonly heads: number;
  readonly vocabulary: number;
  /** Attention of a query on the keys up to itself. */
  row(ids: Int32Array, layer: number, head: number, query: number): ArrayLike<number>;
  /** Log-probability of the next token, by position. */
  logProbability?(prompt: Prompt): Float32Array;
}

/** Answers requests for whole rows, for attention at targets, and for losses. */
export function plantedModel({ row, logProbability, ...shape }: Planted): Model {
  const { layers, heads } = shape;
  const forward = async (prompt: Prompt, { targets, attention: wanted, logits }: Request): Promise<Forward> => {
    const { ids } = prompt;
    const tokens = ids.length;
    const patterns = targets?.length ?? 0;
    const attention = new Float32Array(wanted ? layers * heads * tokens * tokens : 0);
    const pattern = new Float32Array(layers * heads * patterns * tokens).fill(Number.NaN);
    for (let at = 0; at < layers * heads && (wanted || targets); ++at) {
      for (let query = 0; query < tokens; ++query) {
        const of = row(ids, Math.floor(at / heads), at % heads, query);
        if (wanted) attention.set(Array.from(of), (at * tokens + query) * tokens);
        for (const [p, keys] of (targets ?? []).entries())
          if (keys[query] >= 0) pattern[(at * patterns + p) * tokens + query] = of[keys[query]] ?? 0;
      }
    }
    return {
      tokens,
      beyondTrainedLength: false,
      ...(wanted ? { attention: { data: attention, dims: [layers, heads, tokens, tokens] } } : {}),
      ...(targets ? { pattern: { data: pattern, dims: [layers, heads, patterns, tokens] } } : {}),
      ...(logits ? { logProbability: logProbability?.(prompt) } : {}),
    };
  };
  const model = { architecture: { ...shape, contextLength: 1024 }, forward };
  return model as unknown as Model; // all of a model that the experiments tested here ask for
}

/** What each claim comes to on a model, with another one for its control. */
export async function judgedOn<P extends Parameters, Evidence>(
  experiment: Experiment<P, Evidence>,
  parameters: P,
  model: Model,
  { control = model, inputs = {} }: { readonly control?: Model; readonly inputs?: Context<P>["inputs"] } = {},
) {
  const steps = experiment.run({
    parameters,
    model: async () => model,
    control: async () => control,
    tokenizer: async () => characterTokenizer(),
    inputs,
    progress: () => {},
    signal: new AbortController().signal,
  });
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return { evidence: value, claims: judged(experiment, value) };
  }
}
