/**
 * One palette for the whole site, safe for the common kinds of colour blindness in light and in dark: sequential for
 * mass, diverging for change, and the same colour for the same name everywhere.
 */

export type Mode = "light" | "dark";

export interface Palette {
  readonly background: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  /** Distinct in hue and in lightness; at least 3:1 against the background. */
  readonly categories: readonly string[];
  /** From nothing to most: lightness falls on light, rises on dark. Nothing still stands out from page and card. */
  readonly sequential: readonly string[];
  /** From less, over unchanged, to more. */
  readonly diverging: readonly string[];
}

export const palettes: Readonly<Record<Mode, Palette>> = {
  light: {
    background: "#fcfcfa",
    text: "#1c2126",
    muted: "#59626b",
    line: "#e2e4e2",
    categories: ["#1f55ad", "#b74b22", "#3aa088", "#75285c", "#bc890c", "#6a7079"],
    sequential: ["#dfe8ea", "#c6dce1", "#a3cad4", "#6caec1", "#378dab", "#176a91", "#0d4873", "#0a2a50"],
    diverging: ["#14508c", "#5b93c4", "#b4cfe2", "#f0f0ee", "#efc9a9", "#d8854a", "#93400f"],
  },
  dark: {
    background: "#14181d",
    text: "#e4e7ea",
    muted: "#9ba5af",
    line: "#2b323a",
    categories: ["#8fbcff", "#e58a3c", "#3fb398", "#b674e3", "#fcd05a", "#7b8087"],
    sequential: ["#1d303f", "#1a3f58", "#164e69", "#1c6a86", "#35889d", "#62a7ae", "#9ccac2", "#e3f3df"],
    diverging: ["#86bff5", "#4a83bd", "#2b4a68", "#252b32", "#6b4327", "#bd7238", "#f8b27d"],
  },
};

/** Names that mean the same thing on every page keep their colour (an index into `categories`). */
const FIXED: Readonly<Record<string, number>> = {
  trained: 0,
  "no start": 1,
  shuffled: 2,
  uniform: 4,
  "uniform limit": 4,
  rope: 0,
  nope: 1,
  alibi: 2,
  learned: 3,
  softmax1: 4,
  random: 5,
  "random weights": 5,
  "nothing evicted": 0,
  "evicted 50 %": 1,
  "evicted 75 %": 2,
  "evicted 90 %": 3,
  kernels: 0,
  "kernels, float32": 0,
  "kernels, float16": 2,
  "kernels, with statistics": 0,
  "PyTorch eager": 1,
  "PyTorch eager, float32": 1,
  "PyTorch eager, bfloat16": 4,
  "PyTorch eager, with statistics": 1,
  "PyTorch SDPA, without": 3,
};

/** A colour for each name, in order: fixed names first, the others take what is left. */
export function colours(names: readonly string[], mode: Mode): string[] {
  const { categories } = palettes[mode];
  const taken = new Set(names.map((name) => FIXED[name]).filter((index) => index !== undefined));
  const free = categories.map((_, index) => index).filter((index) => !taken.has(index));
  let next = 0;
  return names.map((name) => categories[FIXED[name] ?? free[next++ % (free.length || 1)] ?? 0]);
}

/** `n` colours evenly along a scale. Vega interpolates hues; between near neighbours it has no room to stray. */
export function along(scale: readonly string[], n: number): string[] {
  return Array.from({ length: n }, (_, i) => {
    const at = ((scale.length - 1) * i) / Math.max(1, n - 1);
    return mix(scale[Math.floor(at)], scale[Math.ceil(at)], at % 1);
  });
}

/** `n` colours for things in an order, such as layers: the sequential scale without its faint end. */
export function ramp(n: number, mode: Mode): string[] {
  const visible = palettes[mode].sequential.slice(2);
  return n === 1 ? [visible[3]] : along(visible, n);
}

function mix(from: string, to: string, share: number): string {
  const channel = (at: number) => {
    const [a, b] = [from, to].map((hex) => Number.parseInt(hex.slice(at, at + 2), 16));
    return Math.round(a + (b - a) * share)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(1)}${channel(3)}${channel(5)}`;
}
