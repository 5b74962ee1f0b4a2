/** Light or dark, as the reader's system asks; on paper, light. */
import type { Mode } from "./palette.js";

const dark = matchMedia("screen and (prefers-color-scheme: dark)");

export function mode(): Mode {
  return dark.matches ? "dark" : "light";
}

/** Calls back when the reader switches; returns the way to stop. */
export function onModeChange(callback: () => void): () => void {
  dark.addEventListener("change", callback);
  return () => dark.removeEventListener("change", callback);
}
