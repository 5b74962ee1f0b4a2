/** Numbers for sentences, tables and tooltips: short, and never with more digits than they deserve. */

/** 1234567.8 as 1,234,567.8. By hand: to load what a browser knows of languages takes longer than to draw a chart. */
const grouped = (text: string) => text.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ","));

/** With a minus sign that is as wide as a digit, and none before zero. */
const signed = (value: number, text: string) => (value < 0 && /[1-9]/.test(text) ? `−${text}` : text);

/** 2.3e-6 as a power of ten, never parted: 2.3 × 10⁻⁶. */
const powerOfTen = (text: string) =>
  text.replace(/e(.*)$/, (_, exponent: string) => {
    const raised = [...exponent].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)]));
    return `\u00a0×\u00a010${raised.join("")}`;
  });

/** Three significant digits: 0.0123, 4.56, 1,230. Null and NaN become an en dash. */
export function number(value: number | null | undefined, digits = 3): string {
  if (value == null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 10 ** digits) return signed(value, grouped(size.toFixed(0)));
  if (size < 1e-4) return signed(value, powerOfTen(Number(size.toPrecision(digits)).toExponential()));
  return signed(value, grouped(String(Number(size.toPrecision(digits)))));
}

/** A share between 0 and 1 as a percentage: 34 %, 0.4 %, never parted from its sign. */
export function percent(share: number | null | undefined): string {
  if (share == null || Number.isNaN(share)) return "–";
  const size = Math.abs(share * 100);
  return `${signed(share, grouped(String(Number(size.toFixed(size < 10 ? 1 : 0)))))}\u00a0%`;
}

/** A probability as a percentage: what is possible is never 0 %. */
export function probability(share: number): string {
  return share > 0 && share < 0.0005 ? "<\u00a00.1\u00a0%" : percent(share);
}

/** An estimate with its 95 % interval: 1.23 [1.10, 1.35]. */
export function interval(estimate: number | null, low: number | null, high: number | null): string {
  if (low == null || high == null || Number.isNaN(low) || Number.isNaN(high)) return number(estimate);
  return `${number(estimate)} [${number(low)}, ${number(high)}]`;
}

/** Keeps a number together with what stands beside it: 95 %, n = 12. */
export const together = (text: string): string =>
  text.replace(/(?<=\d) (?=%)|(?<=\bn) (?==)|(?<=\bn =) (?=\d)/g, "\u00a0");

/** "1 head", "14 heads". */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${number(n)} ${n === 1 ? noun : plural}`;
}

/** Any cell of a result as text. */
export function cell(value: unknown): string {
  if (value == null) return "–";
  if (typeof value === "number") return number(value, 4);
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}
