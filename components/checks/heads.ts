/** What experiments measure of every head, as their files in loaders/experiments describe it. */
import type { Request, Values } from "../../engine/forward.js";
import { mean } from "../../engine/interval.js";
import { Random } from "../../engine/random.js";
import { dot } from "../../engine/theory/matrix.js";
import { type Published, parameter, type Subjects } from "../check-subjects.js";
import type { Row } from "../database.js";
import { beginnings, means } from "./means.js";
import type { CheckedModel } from "./session.js";

/** One statistic of a pass. @throws where the model did not report what was asked for */
async function ask<K extends "pattern" | "received" | "entropy" | "meanDistance">(
  model: CheckedModel,
  ids: Int32Array,
  request: Request,
  name: K,
): Promise<Values> {
  const { [name]: values } = await model.forward({ ids }, request);
  if (!values) throw new Error(`the model reported no ${name}`);
  return values;
}

const headOf = ({ shape: { heads } }: CheckedModel, { layer, head }: Row): number =>
  Number(layer) * heads + Number(head);

/** Roles of heads on random tokens that come twice: mean attention of the second half on one key of each query. */
export function roles(): Subjects {
  const keyOf: Readonly<Record<string, (query: number, period: number) => number>> = {
    "previous token": (query) => query - 1,
    "duplicate token": (query, period) => query - period,
    induction: (query, period) => query - period + 1,
    "first token": () => 0,
  };
  const names = Object.keys(keyOf);
  const prompts = async ({ parameters }: Published) => {
    const count = parameter(parameters, "sequences");
    const period = parameter(parameters, "period");
    return {
      count,
      ids: async ({ shape: { vocabulary }, tokens }: CheckedModel) => {
        const start = await tokens("");
        const random = new Random(parameter(parameters, "seed"));
        const draw = () => Int32Array.from({ length: period }, () => random.int(vocabulary));
        return Array.from({ length: count }, () => {
          const [twice] = [draw(), draw()]; // the other is what comes second where nothing repeats
          return Int32Array.from([...start, ...twice, ...twice]);
        });
      },
    };
  };
  return means("sequence", prompts, async (model, ids, { parameters }) => {
    const period = parameter(parameters, "period");
    const second = ids.length - period;
    const targets = names.map((name) => ids.map((_, query) => (query < second ? -1 : keyOf[name](query, period))));
    const { data } = await ask(model, ids, { targets }, "pattern"); // [layers, heads, roles, queries]
    return (row) => {
      const at = (headOf(model, row) * names.length + names.indexOf(String(row.what))) * ids.length;
      return mean(data.subarray(at + second, at + ids.length));
    };
  });
}

/** Mean distance of attention, over the queries of the second half. */
export function distances(): Subjects {
  const prompts = (of: Published) => beginnings(of, { after: "ranking", texts: "documents", tokens: ["tokens"] });
  return means("text", prompts, async (model, ids) => {
    const { data } = await ask(model, ids, { rows: true }, "meanDistance"); // [layers, heads, queries]
    return (row) => {
      const at = headOf(model, row) * ids.length;
      return mean(data.subarray(at + Math.floor(ids.length / 2), at + ids.length));
    };
  });
}

/** Attention on the first and the last keys: how often it is too little, and its mean, over some queries. */
export function localShares(): Subjects {
  const prompts = (of: Published) => beginnings(of, { texts: "documents", tokens: ["tokens"] });
  return means("text", prompts, async (model, ids, { parameters }) => {
    const [sinks, window, every, threshold] = ["sinks", "window", "every", "threshold"].map((name) =>
      parameter(parameters, name),
    );
    const first = sinks + 2 * window;
    const queries = Array.from({ length: Math.ceil((ids.length - first) / every) }, (_, i) => first + i * every);
    const queryGroups = queries.map((query) => new Float32Array(ids.length).fill(1, query, query + 1));
    const { data } = await ask(model, ids, { queryGroups }, "received"); // [layers, heads, groups, keys]
    const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);
    return (row) => {
      const shares = queries.map((query, group) => {
        const at = (headOf(model, row) * queries.length + group) * ids.length;
        return sum(data.subarray(at, at + sinks)) + sum(data.subarray(at + query + 1 - window, at + query + 1));
      });
      return mean(row.what === "mean local share" ? shares : shares.map((share) => Number(share < threshold)));
    };
  });
}

/** Norms of the dimensions of queries, keys and values over a text, divided by their mean over the head. */
export function dimensionNorms(): Subjects {
  const prompts = (of: Published) => beginnings(of, { after: "ranking", texts: "documents", tokens: ["tokens"] });
  return means("text", prompts, async (model, ids) => {
    const { queries, keys, values } = await model.forward({ ids }, { vectors: true });
    const vectors: Readonly<Record<string, Values | undefined>> = { queries, keys, values };
    const norms = (kind: string, layer: number, head: number) => {
      const { data, dims: [, heads, tokens, size] = [] } = vectors[kind] ?? { data: new Float32Array() };
      return Float64Array.from({ length: size }, (_, c) => {
        let squares = 0;
        for (let token = 0; token < tokens; ++token)
          squares += data[((layer * heads + head) * tokens + token) * size + c] ** 2;
        return Math.sqrt(squares);
      });
    };
    return ({ what, layer, head, dimension }) => {
      const of = norms(String(what), Number(layer), Number(head));
      return of[Number(dimension)] / mean(of);
    };
  });
}

/** Attention on the token before, over the queries of each window of a text. */
export function previousToken(): Subjects {
  const prompts = async (of: Published) => {
    const texts = await beginnings(of, { texts: "documents", tokens: ["tokens"] });
    const [windows, window] = ["windows", "window"].map((name) => parameter(of.parameters, name));
    return {
      count: texts.count * windows,
      ids: async (model: CheckedModel) =>
        (await texts.ids(model)).flatMap((ids) => {
          const stride = Math.floor((ids.length - window) / Math.max(1, windows - 1));
          return Array.from({ length: windows }, (_, i) =>
            Int32Array.of(ids[0], ...ids.subarray(i * stride + 1, i * stride + window)),
          );
        }),
    };
  };
  return means("window", prompts, async (model, ids) => {
    const targets = [ids.map((_, query) => query - 1)];
    const { data } = await ask(model, ids, { targets }, "pattern"); // [layers, heads, 1, queries]
    return (row) => mean(data.subarray(headOf(model, row) * ids.length + 1, (headOf(model, row) + 1) * ids.length));
  });
}

/** Attention of at least so much, with a score that is not negative, on a key that is not the first; at most so many. */
export function firings(): Subjects {
  const prompts = (of: Published) => beginnings(of, { texts: "documents", tokens: ["tokens"] });
  return means("text", prompts, async (model, ids, { parameters }) => {
    const [least, most] = ["firing", "perHead"].map((name) => parameter(parameters, name));
    const { attention, queries, keys } = await model.forward({ ids }, { attention: true, vectors: true });
    if (!attention || !queries || !keys) throw new Error("the model reported no attention");
    const [, heads, tokens, size] = queries.dims;
    const readers = heads / keys.dims[1]; // of each key–value head
    return (row) => {
      const at = headOf(model, row);
      const [ofQueries, ofKeys] = [at * tokens * size, Math.floor(at / readers) * tokens * size];
      let found = 0;
      for (let query = 1; query < tokens; ++query)
        for (let key = 1; key <= query; ++key) {
          if (attention.data[(at * tokens + query) * attention.dims[3] + key] < least) continue;
          const score = dot(queries.data, ofQueries + query * size, keys.data, ofKeys + key * size, size);
          found += Number(score >= 0);
        }
      return Math.min(most, found);
    };
  });
}

/** What the queries after a context do: how wide they look, and how much they give the first token. */
export function afterContext(): Subjects {
  const prompts = (of: Published) =>
    beginnings(of, { after: "calibration", texts: "documents", tokens: ["context", "scored"] });
  return means("text", prompts, async (model, ids, { parameters }) => {
    const context = parameter(parameters, "context");
    const request = { rows: true, targets: [new Int32Array(ids.length)] };
    const { entropy, pattern } = await model.forward({ ids }, request);
    if (!entropy || !pattern) throw new Error("the model reported no attention");
    return (row) => {
      const at = headOf(model, row) * ids.length;
      const { data } = row.what === "entropy" ? entropy : pattern;
      const later = data.subarray(at + context, at + ids.length);
      return mean(row.what === "entropy" ? later.map((of, i) => of / Math.log(context + i + 1)) : later);
    };
  });
}
