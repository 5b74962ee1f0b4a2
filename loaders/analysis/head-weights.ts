/** The weights of single heads, however a checkpoint stores them. */
import type { Architecture, Linear } from "../../engine/architecture.js";
import type { Checkpoint } from "../../engine/checkpoint.js";

export type Part = "query" | "key" | "value";

/** Outputs `first` to `first + headSize` of a projection are a head's. */
interface Place {
  readonly linear: Linear;
  readonly first: number;
}

/** The key–value head that a query head reads. */
export const groupOf = ({ heads, keyValueHeads }: Architecture, head: number): number =>
  Math.floor((head * keyValueHeads) / heads);

/** Where a head's part of its layer's projections lies. @param head a query head, or a key–value head */
function placeOf(architecture: Architecture, layer: number, part: Part, head: number): Place {
  const { heads: H, keyValueHeads: G, headSize: d, blocks } = architecture;
  const { projection } = blocks[layer].attention;
  if (!("fused" in projection)) return { linear: projection[part], first: head * d };
  const perGroup = H / G;
  const group = part === "query" ? groupOf(architecture, head) : head;
  const index =
    projection.order === "grouped"
      ? group * (perGroup + 2) + { query: head % perGroup, key: perGroup, value: perGroup + 1 }[part]
      : { query: 0, key: H, value: H + G }[part] + head;
  return { linear: projection.fused, first: index * d };
}

/** Index of a weight between an input and an output among a matrix' values. */
const indexOf = ({ layout, inputs, outputs }: Linear, input: number, output: number): number =>
  layout === "out-in" ? output * inputs + input : input * outputs + output;

export interface HeadProjection {
  readonly matrix: Float64Array; // [headSize, width]
  readonly bias: Float64Array; // [headSize], zeros where there is none
}

/** What makes a head's queries, keys or values from a layer's normed input. */
export async function headProjection(
  { architecture, tensor }: Pick<Checkpoint, "architecture" | "tensor">,
  layer: number,
  part: Part,
  head: number,
): Promise<HeadProjection> {
  const { headSize, width } = architecture;
  const { linear, first } = placeOf(architecture, layer, part, head);
  const weights = await tensor(linear.weight);
  const shift = linear.bias ? await tensor(linear.bias) : undefined;
  const matrix = Float64Array.from({ length: headSize * width }, (_, at) => {
    return weights[indexOf(linear, at % width, first + Math.floor(at / width))];
  });
  return { matrix, bias: Float64Array.from({ length: headSize }, (_, c) => shift?.[first + c] ?? 0) };
}

/** What each dimension of a head's mixed values adds to the residual stream. // [headSize, width] */
export async function headOutput(
  { architecture, tensor }: Pick<Checkpoint, "architecture" | "tensor">,
  layer: number,
  head: number,
): Promise<Float64Array> {
  const { headSize, width, blocks } = architecture;
  const { output } = blocks[layer].attention;
  const weights = await tensor(output.weight);
  return Float64Array.from({ length: headSize * width }, (_, at) => {
    return weights[indexOf(output, head * headSize + Math.floor(at / width), at % width)];
  });
}

/** Dimensions of one head's queries or keys. */
export interface Dimensions {
  readonly layer: number;
  readonly part: "query" | "key";
  readonly head: number;
  readonly dimensions: readonly number[];
}

/** The same checkpoint with these dimensions of queries and keys always 0, so that they add nothing to any score. */
export function withoutDimensions(checkpoint: Checkpoint, removed: readonly Dimensions[]): Checkpoint {
  const { architecture } = checkpoint;
  const changes = new Map<string, ((values: Float32Array) => void)[]>();
  const change = (name: string, how: (values: Float32Array) => void) =>
    changes.set(name, [...(changes.get(name) ?? []), how]);
  for (const { layer, part, head, dimensions } of removed) {
    const { linear, first } = placeOf(architecture, layer, part, head);
    for (const dimension of dimensions) {
      const output = first + dimension;
      change(linear.weight, (values) => {
        for (let input = 0; input < linear.inputs; ++input) values[indexOf(linear, input, output)] = 0;
      });
      if (linear.bias) change(linear.bias, (values) => values.fill(0, output, output + 1));
    }
  }
  const control = "some dimensions of queries and keys are 0";
  return {
    ...checkpoint,
    name: `${checkpoint.name} (${control})`,
    hashes: { ...checkpoint.hashes, weights: control },
    control,
    place: undefined, // what is mapped cannot be changed
    async tensor(name) {
      const values = Float32Array.from(await checkpoint.tensor(name));
      for (const how of changes.get(name) ?? []) how(values);
      return values;
    },
  };
}
