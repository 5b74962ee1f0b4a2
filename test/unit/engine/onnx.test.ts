import { describe, expect, test } from "vitest";
import { Graph } from "../../../engine/graph.js";
import { encodeModel, varint } from "../../../engine/onnx.js";
import { openBackend } from "../../../loaders/devices.js";

describe("wire format", () => {
  test.each([
    [0, [0]],
    [1, [1]],
    [127, [127]],
    [128, [128, 1]],
    [300, [0xac, 2]],
    [2 ** 40, [128, 128, 128, 128, 128, 32]],
    [-1, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
  ])("%d as a varint", (value, bytes) => {
    expect([...varint(value)]).toEqual(bytes);
  });

  test("of a whole model, field by field", () => {
    const bytes = encodeModel({
      opset: 20,
      nodes: [{ op: "Neg", inputs: ["x"], outputs: ["y"] }],
      inputs: [{ name: "x", type: "float32", dims: ["n", 2] }],
      outputs: [{ name: "y", type: "float32" }],
      initializers: [],
    });
    const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
    const node = [0x0a, ...text("x"), 0x12, ...text("y"), 0x22, ...text("Neg")];
    const shape = [0x0a, 3, 0x12, ...text("n"), 0x0a, 2, 0x08, 2];
    const x = [
      0x0a,
      ...text("x"),
      0x12,
      4 + shape.length + 2,
      0x0a,
      4 + shape.length,
      0x08,
      1,
      0x12,
      shape.length,
      ...shape,
    ];
    const y = [0x0a, ...text("y"), 0x12, 4, 0x0a, 2, 0x08, 1];
    const graph = [0x0a, node.length, ...node, 0x12, ...text("decoder"), 0x5a, x.length, ...x, 0x62, y.length, ...y];
    expect([...bytes]).toEqual([
      ...[0x08, 10], // ir_version
      ...[0x12, ...text("attention-observatory")],
      ...[0x42, 4, 0x0a, 0, 0x10, 20],
      ...[0x42, 17, 0x0a, ...text("com.microsoft"), 0x10, 1],
      ...[0x3a, graph.length, ...graph],
    ]);
  });
});

test.each(["cpu", "wasm"])("a graph with weights beside it runs on %s", async (device) => {
  const graph = new Graph();
  const x = graph.input("x", "float32", ["rows", 2]);
  const w = graph.weight("layer.weight", [3, 2]);
  const product = graph.node("Gemm", [x, w], { transB: 1, alpha: { float: 0.5 } });
  const [first, rest] = graph.nodes("Split", 2, [product, graph.integers(1, 2)], { axis: -1 });
  graph.output("first", graph.node("Add", [first, graph.scalar(10)]));
  graph.output("rest", graph.node("Transpose", [rest], { perm: [1, 0] }));
  const backend = await openBackend(device);
  const session = await backend.createSession(graph, { tensor: async () => Float32Array.of(1, 2, 3, 4, 5, 6) });
  const outputs = await session.run({ x: new backend.Tensor("float32", Float32Array.of(2, 0, 0, 2), [2, 2]) });
  expect([...(outputs.first.data as Float32Array)]).toEqual([11, 12]);
  expect(outputs.rest.dims).toEqual([2, 2]);
  expect([...(outputs.rest.data as Float32Array)]).toEqual([3, 4, 5, 6]);
  await session.release();
});
