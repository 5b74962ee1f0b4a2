/** The palette is safe where it says so: judged by simulated colour blindness, not by eye. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { colours, type Mode, palettes } from "../../../components/palette.js";

type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

function linear(hex: string): Triple {
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

const times = (matrix: Matrix, [x, y, z]: Triple): Triple => {
  const row = ([a, b, c]: Triple) => a * x + b * y + c * z;
  return [row(matrix[0]), row(matrix[1]), row(matrix[2])];
};

/** OKLab of linear sRGB (Ottosson 2020). */
function oklab(rgb: Triple): Triple {
  const lms = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    [Math.max(0, rgb[0]), Math.max(0, rgb[1]), Math.max(0, rgb[2])],
  );
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    [Math.cbrt(lms[0]), Math.cbrt(lms[1]), Math.cbrt(lms[2])],
  );
}

/** Machado, Oliveira and Fernandes 2009, severity 1. */
const visions: Readonly<Record<string, Matrix>> = {
  "full colour": [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const distance = (a: Triple, b: Triple) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
const luminance = ([r, g, b]: Triple) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(linear(a)), luminance(linear(b))].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

const css = readFileSync(new URL("../../../src/style/tokens.css", import.meta.url), "utf8");

/** What the style sheet calls by this name. */
function pageColour(mode: Mode, name: string): string {
  const root = css.slice(mode === "light" ? 0 : css.indexOf("prefers-color-scheme: dark"));
  return root.match(new RegExp(`--${name}: (#[0-9a-f]{6});`))?.[1] ?? "";
}

describe.each<Mode>(["light", "dark"])("%s", (mode) => {
  const { background, text, muted, categories, sequential, diverging } = palettes[mode];

  test.each(Object.entries(visions))("categories stay apart with %s", (_, matrix) => {
    const seen = categories.map((hex) => oklab(times(matrix, linear(hex))));
    for (const [i, a] of seen.entries())
      for (const [j, b] of seen.entries())
        if (i < j) expect(distance(a, b), `${categories[i]} and ${categories[j]}`).toBeGreaterThan(0.08);
  });

  test("everything that is drawn stands out from the background", () => {
    for (const colour of categories) expect(contrast(colour, background), colour).toBeGreaterThanOrEqual(3);
    for (const colour of [text, muted]) expect(contrast(colour, background), colour).toBeGreaterThanOrEqual(4.5);
  });

  test("lightness of the sequential scale moves one way", () => {
    const lightness = sequential.map((hex) => oklab(linear(hex))[0]);
    const sign = mode === "light" ? -1 : 1;
    for (const [i, value] of lightness.slice(1).entries()) expect(sign * (value - lightness[i])).toBeGreaterThan(0.03);
  });

  test.each(Object.entries(visions))(
    "none on the sequential scale is seen on the page and on cards with %s",
    (_, matrix) => {
      const seen = (hex: string) => oklab(times(matrix, linear(hex)));
      for (const behind of [background, pageColour(mode, "surface")])
        expect(distance(seen(sequential[0]), seen(behind)), behind).toBeGreaterThan(0.035);
    },
  );

  test("the diverging scale is balanced around its middle", () => {
    const lightness = diverging.map((hex) => oklab(linear(hex))[0]);
    for (const [i, value] of lightness.entries())
      expect(Math.abs(value - lightness[lightness.length - 1 - i])).toBeLessThan(0.08);
  });

  test("the style sheet uses the same colours for the page", () => {
    for (const [name, value] of Object.entries({ background, text, muted, line: palettes[mode].line }))
      expect(pageColour(mode, name), name).toBe(value);
  });
});

test("a name keeps its colour whatever stands beside it, and no two names share one", () => {
  expect(colours(["trained", "random"], "light")[1]).toBe(colours(["random"], "light")[0]);
  const many = colours(["plain", "random", "shared prefix", "trained", "both fixes", "heated"], "light");
  expect(new Set(many).size).toBe(many.length);
});
