/** Light or dark, as the reader's system asks; on paper, light, and as wide as paper is. */
import type { Mode } from "./palette.js";

const dark = matchMedia("screen and (prefers-color-scheme: dark)");
const paper = matchMedia("print");

/** Pixels between the margins of a page of A4 or Letter. */
const PAPER = 640;

export function mode(): Mode {
  return dark.matches ? "dark" : "light";
}

/** Of what is so many pixels wide on the screen: larger, it would be shrunk to the paper with its letters. */
export function widthHere(pixels: number): number {
  return paper.matches ? Math.min(pixels, PAPER) : pixels;
}

/** Calls back when the reader switches, or prints; returns the way to stop. */
export function onModeChange(callback: () => void): () => void {
  for (const query of [dark, paper]) query.addEventListener("change", callback);
  return () => {
    for (const query of [dark, paper]) query.removeEventListener("change", callback);
  };
}
