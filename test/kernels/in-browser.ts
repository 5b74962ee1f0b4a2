/** What the browser test runs on both sides: one layer's statistics of fixed inputs, on a device that is handed in. */
import { AttentionLayer, type Output } from "../../engine/kernels/attention.js";
import { Gpu } from "../../engine/kernels/gpu.js";
import { Random } from "../../engine/random.js";

const shape = { heads: 4, keyValueHeads: 2, headSize: 32, queries: 70, keys: 70 };

/** Rows, attention received, mass, attention to chosen keys, by distance and by octave, and output, one after the other. */
export async function statisticsOn(device: GPUDevice): Promise<number[]> {
  const gpu = await Gpu.open(device);
  const random = new Random(9);
  const normals = (count: number) => Float32Array.from({ length: count }, () => 2 * random.normal());
  const operand = (heads: number) =>
    ({ buffer: gpu.upload(normals(heads * shape.keys * shape.headSize)), type: "f32" }) as const;
  const layer = new AttentionLayer(gpu, {
    shape,
    scoring: { scale: shape.headSize ** -0.5, causal: true, window: 50, sinks: Float32Array.of(1, 0, -1, 2) },
    queries: operand(shape.heads),
    keys: operand(shape.keyValueHeads),
  });
  const outputs: Output[] = [layer.rows().rows];
  outputs.push(...layer.received([new Float32Array(shape.queries).fill(1)]));
  outputs.push(layer.mass([new Float32Array(shape.keys).fill(1, 0, 4), normals(shape.keys)]));
  outputs.push(layer.pattern([Int32Array.from({ length: shape.queries }, (_, query) => query - 1)]));
  outputs.push(layer.distances(), layer.octaves());
  outputs.push(layer.mix(operand(shape.keyValueHeads)));
  await layer.run();
  const values: number[] = [];
  for (const { buffer, dims } of outputs) {
    values.push(...new Float32Array(await gpu.read(buffer, 4 * dims.reduce((a, b) => a * b, 1))));
  }
  return values;
}
