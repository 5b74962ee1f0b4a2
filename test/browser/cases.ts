/** The pages that tests open, and the conditions under which they do. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Pages that are opened under all conditions: the overview and the first of each kind. */
export const covered = [
  "",
  "entropy",
  "sinks",
  "basin",
  "positional-bias",
  "model",
  "rank-collapse",
  "papers",
  "benchmarks",
  "papers/rank-collapse-pure-attention",
] as const;

/** These have tests of their own. */
const apart = ["404", "index", "lab", "metrics", "search"];

const source = fileURLToPath(new URL("../../src", import.meta.url));
const written = readdirSync(source).flatMap((file) => /^(.+)\.md$/.exec(file)?.[1] ?? []);

/** Every page of the site, and of the pages of papers one for each state. */
export const pages: readonly string[] = [
  ...new Set([
    ...covered,
    ...written.filter((page) => !apart.includes(page)).sort(),
    "papers/entropy-parallel-context",
    "papers/what-are-you-sinking",
  ]),
];

export const widths = [360, 768, 1440] as const; // pixels
export const schemes = ["light", "dark"] as const;
export const places = ["below a path", "at the root", "offline once it is there"] as const;

/** SwiftShader stands in for a GPU: in software, to the same rules. */
export const gpus = ["no WebGPU", "WebGPU"] as const;

export interface Case {
  readonly page: string;
  readonly width: (typeof widths)[number];
  readonly scheme: (typeof schemes)[number];
  readonly place: (typeof places)[number];
  readonly gpu: (typeof gpus)[number];
}

/** The page at this width: every pair of conditions is among the cases of the covered pages; desk and phone differ in theme. */
export function caseOf(page: string, width: Case["width"]): Case {
  const [p, w] = [pages.indexOf(page), widths.indexOf(width)];
  return {
    page,
    width,
    scheme: schemes[(p + Math.sign(w)) % 2],
    place: places[(p + 2 * w + Math.floor(p / 3)) % 3],
    gpu: gpus[(Math.floor(p / 2) + w) % 2],
  };
}

export const everyCase: readonly Case[] = covered.flatMap((page) =>
  widths.flatMap((width) =>
    schemes.flatMap((scheme) => places.flatMap((place) => gpus.map((gpu) => ({ page, width, scheme, place, gpu })))),
  ),
);
