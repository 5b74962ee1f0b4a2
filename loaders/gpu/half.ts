/** The nearest float16, ties to even. @returns its bits */
export function toHalf(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 255) - 112;
  if (exponent <= 0) return sign | Math.round(Math.abs(value) * 2 ** 24);
  if (exponent > 30) return sign | 0x7c00;
  const half = (exponent << 10) | ((bits & 0x7fffff) >>> 13);
  const rest = bits & 0x1fff;
  return sign | (half + Number(rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1)));
}

/** The value of float16 bits. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
