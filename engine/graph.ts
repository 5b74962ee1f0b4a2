/** Builds a computation graph node by node; a value is the name of a node's output. */
import {
  type Attribute,
  type Dimension,
  type ElementType,
  type ExternalData,
  encodeModel,
  type Initializer,
  type Node,
  type ValueInfo,
} from "./onnx.js";

export type Value = string & { readonly brand: unique symbol };

type Attributes = Readonly<Record<string, Attribute>>;

const opset = 20;

export class Graph {
  readonly #nodes: Node[] = [];
  readonly #inputs = new Map<string, ValueInfo>();
  readonly #outputs: ValueInfo[] = [];
  readonly #initializers = new Map<string, Initializer>();

  /** Something that is fed at every run; asking again for the same name gives the same value. */
  input(name: string, type: ElementType, dims: readonly Dimension[]): Value {
    this.#inputs.set(name, { name, type, dims });
    return name as Value;
  }

  /** A float32 weight that is handed over next to the model, under its own name. */
  weight(name: string, dims: readonly number[]): Value {
    this.#initializers.set(name, { name, dims });
    return name as Value;
  }

  scalar(value: number): Value {
    return this.#constant(`float ${value}`, [], Float32Array.of(value));
  }

  /** A one-dimensional constant of float32. */
  floats(...values: number[]): Value {
    return this.#constant(`floats ${values}`, [values.length], Float32Array.from(values));
  }

  /** A one-dimensional constant: axes, shapes, split sizes, or (as a lone index) a position along an axis. */
  integers(...values: number[]): Value {
    return this.#constant(`integers ${values}`, [values.length], BigInt64Array.from(values, BigInt));
  }

  node(op: string, inputs: readonly Value[], attributes: Attributes = {}, domain?: string): Value {
    return this.nodes(op, 1, inputs, attributes, domain)[0];
  }

  /** A node with several outputs. */
  nodes(op: string, count: number, inputs: readonly Value[], attributes: Attributes = {}, domain?: string): Value[] {
    const id = this.#nodes.length;
    const outputs = Array.from({ length: count }, (_, i) => `${op} ${id}.${i}` as Value);
    this.#nodes.push({ op, domain, inputs, outputs, attributes });
    return outputs;
  }

  /** Reports a float32 value under a name; its shape is left to the runtime to infer. */
  output(name: string, value: Value): void {
    this.#nodes.push({ op: "Identity", inputs: [value], outputs: [name] });
    this.#outputs.push({ name, type: "float32" });
  }

  /** Number of values of each weight, by name. */
  get weights(): ReadonlyMap<string, number> {
    const weights = [...this.#initializers.values()].filter(({ data }) => data === undefined);
    return new Map(weights.map(({ name, dims }) => [name, dims.reduce((product, size) => product * size, 1)]));
  }

  /** @param locate where the runtime finds a weight as external data; by default under the weight's own name */
  encode(locate?: (weight: string) => ExternalData): Uint8Array {
    return encodeModel({
      opset,
      nodes: this.#nodes,
      inputs: [...this.#inputs.values()],
      outputs: this.#outputs,
      initializers: [...this.#initializers.values()],
      locate,
    });
  }

  #constant(name: string, dims: readonly number[], data: Float32Array | BigInt64Array): Value {
    this.#initializers.set(name, { name, dims, data });
    return name as Value;
  }
}
