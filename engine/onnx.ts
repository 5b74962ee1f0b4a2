/**
 * Writes ONNX models: the few protobuf messages of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto that
 * our graphs need, in wire format. Field numbers below are that file's.
 */

export type ElementType = "float32" | "int32" | "int64";

/** A fixed size, or a name for a size that differs from run to run. */
export type Dimension = number | string;

export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  /** Left out: inferred by the runtime. */
  readonly dims?: readonly Dimension[];
}

/** Whole numbers are ONNX integers; write `{ float: 1 }` for a float. */
export type Attribute = number | { readonly float: number } | string | readonly number[];

export interface Node {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** A constant inside the model, or (without data) a float32 weight handed over next to it as external data. */
export interface Initializer {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data?: Float32Array | Int32Array | BigInt64Array;
}

/** Where a runtime finds a weight: in a file, or under a name that data was handed over by. */
export interface ExternalData {
  readonly location: string;
  /** First byte, and number of bytes; absent where all of it is the weight. */
  readonly offset?: number;
  readonly length?: number;
}

export interface OnnxModel {
  readonly opset: number;
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: readonly Initializer[];
  /** By default, a weight's location is its own name. */
  readonly locate?: (weight: string) => ExternalData;
}

const elementTypes = { float32: 1, int32: 6, int64: 7 } as const satisfies Record<ElementType, number>;
const irVersion = 10;
const external = 1; // TensorProto.DataLocation.EXTERNAL

type Bytes = Uint8Array<ArrayBuffer>;
const utf8 = new TextEncoder();

function concat(parts: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Protobuf integers are written seven bits at a time, negative ones as 64-bit two's complement. */
export function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

const integer = (field: number, value: number) => concat([varint(field << 3), varint(value)]);
const float = (field: number, value: number) =>
  concat([varint((field << 3) | 5), new Uint8Array(Float32Array.of(value).buffer)]);
const bytes = (field: number, value: Uint8Array) => concat([varint((field << 3) | 2), varint(value.length), value]);
const text = (field: number, value: string) => bytes(field, utf8.encode(value));
const message = (field: number, ...parts: Uint8Array[]) => bytes(field, concat(parts));

function attribute(name: string, value: Attribute): Uint8Array[] {
  if (typeof value === "string") return [text(1, name), text(4, value), integer(20, 3)];
  if (typeof value === "number") return [text(1, name), integer(3, value), integer(20, 2)];
  if ("float" in value) return [text(1, name), float(2, value.float), integer(20, 1)];
  return [text(1, name), ...value.map((item) => integer(8, item)), integer(20, 7)];
}

function node({ op, domain, inputs, outputs, attributes }: Node): Uint8Array[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes ?? {}).map(([name, value]) => message(5, ...attribute(name, value))),
    ...(domain ? [text(7, domain)] : []),
  ];
}

function typeOf(data: Float32Array | Int32Array | BigInt64Array): ElementType {
  if (data instanceof Float32Array) return "float32";
  return data instanceof Int32Array ? "int32" : "int64";
}

function tensor({ name, dims, data }: Initializer, locate: (weight: string) => ExternalData): Uint8Array[] {
  const head = [...dims.map((size) => integer(1, size)), text(8, name)];
  if (data) {
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [...head, integer(2, elementTypes[typeOf(data)]), bytes(9, raw)];
  }
  const entries = Object.entries(locate(name)).map(([key, value]) => message(13, text(1, key), text(2, String(value))));
  return [...head, integer(2, elementTypes.float32), ...entries, integer(14, external)];
}

function valueInfo({ name, type, dims }: ValueInfo): Uint8Array[] {
  const sizes = dims?.map((size) => message(1, typeof size === "number" ? integer(1, size) : text(2, size)));
  const shape = sizes ? [message(2, ...sizes)] : [];
  return [text(1, name), message(2, message(1, integer(1, elementTypes[type]), ...shape))];
}

const underItsName = (weight: string): ExternalData => ({ location: weight });

/** Encodes a ModelProto. Weights without data refer to external data. */
export function encodeModel({ opset, nodes, inputs, outputs, initializers, locate = underItsName }: OnnxModel): Bytes {
  return concat([
    integer(1, irVersion),
    text(2, "attention-observatory"),
    message(8, text(1, ""), integer(2, opset)),
    message(8, text(1, "com.microsoft"), integer(2, 1)),
    message(
      7,
      ...nodes.map((item) => message(1, ...node(item))),
      text(2, "decoder"),
      ...initializers.map((item) => message(5, ...tensor(item, locate))),
      ...inputs.map((item) => message(11, ...valueInfo(item))),
      ...outputs.map((item) => message(12, ...valueInfo(item))),
    ),
  ]);
}
