/** Subgroup matrices: tensor cores as WGSL offers them, an experiment of Dawn's. */

/** Subgroup in which matrices are multiplied. */
export const subgroupSize = 32;
/** Rows of a matrix, and its columns and depth. */
export const fragment = 16;

export const matrixExtensions = `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity);`;

/**
 * Whether the device multiplies 16 × 16 × 16 of float16 into float32 in subgroups of 32. What adapters tell of it
 * differs from browser to browser, so a shader that does it is compiled, with operands and products in memory of other
 * types, as the kernels have them.
 */
export async function tensorCores(device: GPUDevice): Promise<boolean> {
  const features: ReadonlySet<string> = device.features;
  const { subgroupMinSize, subgroupMaxSize } = device.adapterInfo;
  if (!features.has("chromium-experimental-subgroup-matrix") || !features.has("shader-f16")) return false;
  if (subgroupMinSize !== subgroupSize || subgroupMaxSize !== subgroupSize) return false;
  const code = `${matrixExtensions}
@group(0) @binding(0) var<storage, read_write> result: array<u32>;
var<workgroup> operand: array<vec4u, ${(fragment * fragment) / 8}>;
@compute @workgroup_size(${subgroupSize}) fn main() {
  let left = subgroupMatrixLoad<subgroup_matrix_left<f16, ${fragment}, ${fragment}>, row_major>(&operand, 0u, ${fragment / 8}u);
  let right = subgroupMatrixLoad<subgroup_matrix_right<f16, ${fragment}, ${fragment}>, col_major>(&operand, 0u, ${fragment / 8}u);
  var product = subgroup_matrix_result<f32, ${fragment}, ${fragment}>(0.0);
  product = subgroupMatrixMultiplyAccumulate(left, right, product);
  subgroupMatrixStore<row_major>(&result, 0u, product, ${fragment}u);
}`;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  return (await device.popErrorScope()) === null;
}
