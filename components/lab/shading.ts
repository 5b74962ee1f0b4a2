/** From attention to shades between 0 and 1, and from shades to pixels. */

export interface Shading {
  /** Logarithmic shades reach from 0.0001 to 1; linear ones from 0 to the largest attention that is shown. */
  readonly scale: "linear" | "log";
  /** What to do about the first token: nothing, leave it blank, or share out the rest of each row anew. */
  readonly first: "shown" | "hidden" | "renormalised";
}

export interface Drawing extends Shading {
  /** The part of the matrix, in tokens; fractions are cut cells. */
  readonly left: number;
  readonly top: number;
  readonly size: number;
  /** Pixels of each side. */
  readonly pixels: number;
  /** Colours from nothing to most, as RGB bytes. */
  readonly colours: Uint8Array; // [colours, 3]
}

const faintest = 1e-4;

/** How a value of a row is shown; less than 0: not at all. */
function shown(value: number, key: number, ofFirst: number, first: Shading["first"]): number {
  if (first === "shown") return value;
  if (key === 0) return -1;
  return first === "hidden" || ofFirst >= 1 ? value : value / (1 - ofFirst);
}

const shade = (value: number, largest: number, scale: Shading["scale"]): number => {
  if (value <= 0) return 0;
  const share = scale === "log" ? 1 + Math.log(value) / -Math.log(faintest) : value / largest;
  return Math.min(1, Math.max(0, share));
};

/** @returns [keys]: 0 for keys that are not shown */
export function shadedRow(attention: Float32Array, query: number, { scale, first }: Shading): Float32Array {
  const values = attention.map((value, key) => (key > query ? -1 : shown(value, key, attention[0], first)));
  const largest = values.reduce((a, b) => Math.max(a, b), faintest);
  return values.map((value) => shade(value, largest, scale));
}

/** Each pixel shows the largest attention of the cells that it covers, so that nothing small is lost from view. */
export function drawMatrix(matrix: Float32Array, tokens: number, drawing: Drawing): ImageData {
  const { left, top, size, pixels, first, scale, colours } = drawing;
  const pooled = new Float32Array(pixels * pixels).fill(-1);
  const edges = (start: number) =>
    Array.from({ length: pixels }, (_, i) => {
      const from = Math.floor(start + (i * size) / pixels);
      return [Math.max(0, from), Math.min(tokens, Math.max(from + 1, Math.ceil(start + ((i + 1) * size) / pixels)))];
    });
  const columns = edges(left);
  let largest = faintest;
  edges(top).forEach(([fromQuery, toQuery], y) => {
    for (let query = fromQuery; query < toQuery; query++) {
      const row = matrix.subarray(query * tokens, (query + 1) * tokens);
      for (let x = 0; x < pixels; x++) {
        const [fromKey, toKey] = columns[x];
        if (fromKey > query) break;
        for (let key = fromKey; key < Math.min(toKey, query + 1); key++) {
          const value = shown(row[key], key, row[0], first);
          if (value > pooled[y * pixels + x]) pooled[y * pixels + x] = value;
        }
      }
    }
    for (let x = 0; x < pixels; x++) largest = Math.max(largest, pooled[y * pixels + x]);
  });
  const image = new ImageData(pixels, pixels);
  const last = colours.length / 3 - 1;
  pooled.forEach((value, i) => {
    if (value < 0) return; // after the query, hidden, or beyond the matrix: transparent
    const colour = Math.round(shade(value, largest, scale) * last) * 3;
    image.data.set(colours.subarray(colour, colour + 3), i * 4);
    image.data[i * 4 + 3] = 255;
  });
  return image;
}
