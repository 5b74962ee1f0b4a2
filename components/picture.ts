/** A chart as a picture for a paper: of a width in millimetres, with fonts that any program has, needing no other file. */
import type { View } from "vega";

/** One column of a journal, one and a half, and the whole page. */
export const WIDTHS = [85, 120, 180] as const; // mm

/** CSS pixels in a millimetre. */
export const PIXELS = 96 / 25.4;

export const FONT = "Helvetica, Arial, sans-serif";

/** Dots per inch of pictures made of pixels, as publishers ask for. */
const RESOLUTION = 600;

export interface Caption {
  readonly title: string;
  readonly description: string;
}

/** The drawing of a view, enlarged to its width, with what it shows as text inside. */
export async function svgOf(view: View, millimetres: number, { title, description }: Caption): Promise<Blob> {
  const drawn = new DOMParser().parseFromString(await view.toSVG(), "image/svg+xml");
  const svg = drawn.documentElement;
  const [width, height] = ["width", "height"].map((side) => Number(svg.getAttribute(side)));
  svg.setAttribute("width", `${millimetres}mm`);
  svg.setAttribute("height", `${((millimetres * height) / width).toFixed(2)}mm`);
  const texts = Object.entries({ title, desc: description }).map(([name, text]) => {
    const node = drawn.createElementNS("http://www.w3.org/2000/svg", name);
    node.textContent = text;
    return node;
  });
  svg.prepend(...texts);
  return new Blob([new XMLSerializer().serializeToString(drawn)], { type: "image/svg+xml" });
}

/** @throws {Error} where the browser has no room for so many pixels */
export async function pngOf(view: View, millimetres: number): Promise<Blob> {
  const { width } = await view.toCanvas(1);
  const canvas = await view.toCanvas(((millimetres / 25.4) * RESOLUTION) / width);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("The chart is too large for a PNG.");
  return withResolution(new Uint8Array(await blob.arrayBuffer()));
}

/** Without it, a program would take the picture for one of 96 dots per inch, several times as wide as it should be. */
function withResolution(png: Uint8Array): Blob {
  const afterHeader = 8 + 25; // signature, and the chunk IHDR
  const chunk = new DataView(new ArrayBuffer(21));
  chunk.setUint32(0, 9); // bytes of content
  chunk.setUint32(4, 0x70485973); // pHYs
  for (const at of [8, 12]) chunk.setUint32(at, Math.round(RESOLUTION / 0.0254)); // per metre
  chunk.setUint8(16, 1); // the unit is the metre
  chunk.setUint32(17, checksum(new Uint8Array(chunk.buffer, 4, 13)));
  return new Blob([png.slice(0, afterHeader), chunk, png.slice(afterHeader)], { type: "image/png" });
}

/** CRC-32 of a PNG chunk: https://www.w3.org/TR/png/#5CRC-algorithm */
function checksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
