/** The catalogue of papers: what each claims, how it measures it, and how that could be run at a small scale. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";
import { dataFolder } from "../project.js";

export const catalogueFile = join(dataFolder, "catalogue.json");

/** How far the definitions of an entry were checked against what the authors published. */
export const checks = ["code read", "paper read", "summary only", "not yet"] as const;
export type Check = (typeof checks)[number];

export const families = [
  "circuits",
  "decoding",
  "efficient-architectures",
  "entropy",
  "explanation-faithfulness",
  "head-roles",
  "kv-compression",
  "other",
  "position-bias",
  "positional-encoding",
  "seq2seq",
  "sinks",
  "theory",
  "vision-language",
  "vision-other",
] as const;

/** What an experiment on a paper needs. */
export const needs = {
  "pretrained-decoder": "a trained decoder",
  "pretrained-encoder": "a trained encoder",
  "pretrained-encdec": "a trained encoder-decoder",
  "train-tiny-from-scratch": "small models trained for it",
  "synthetic-only": "no model: exact mathematics",
  vlm: "a vision-language model",
  speech: "a speech model",
  "human-gaze-data": "recordings of human gaze",
} as const;
export type Need = keyof typeof needs;

/** Where a definition comes from: the authors' code, their paper, or what others wrote about it. */
export interface Source {
  readonly kind: "code" | "paper" | "about";
  readonly name: string;
  readonly url?: string;
}

export interface Paper {
  /** Its number in the catalogue. */
  readonly line: number;
  readonly slug: string;
  readonly title: string;
  readonly year: number;
  readonly url?: string;
  readonly family: (typeof families)[number];
  /** 1: one forward pass; 2: interventions; 3: mathematics or tiny models; 4: larger training; 5: other modalities. */
  readonly tier: number;
  readonly needs: readonly Need[];
  /** Whether its recipe, or a part of it, is light enough for a page. */
  readonly inBrowser: boolean;
  /** In our own words. */
  readonly claim: string;
  /** The paper's own main figure. */
  readonly headline?: string;
  readonly metrics: readonly string[];
  /** How it can be tried at a small scale, and what would count as replicated. */
  readonly recipe: string;
  readonly checked: Check;
  readonly sources?: readonly Source[];
  /** What is in doubt. */
  readonly notes?: string;
}

/** Whether the definition was read where its authors wrote it, and not recalled or taken from others. */
export function isRead({ checked }: Pick<Paper, "checked">): boolean {
  return checked === "code read" || checked === "paper read";
}

export async function readCatalogue(): Promise<Paper[]> {
  return parseCatalogue(await readFile(catalogueFile, "utf8"));
}

/** @throws {UserError} that names the entry and the field that does not serve */
export function parseCatalogue(text: string): Paper[] {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new UserError(messages.badEntry("", "it must be an array of papers"));
  const papers = value.map(checkEntry);
  for (const field of ["slug", "line"] as const) {
    const seen = new Set<string | number>();
    for (const { [field]: of } of papers) {
      if (seen.has(of)) throw new UserError(messages.badEntry(String(of), `its ${field} is there twice`));
      seen.add(of);
    }
  }
  return papers;
}

type Rule = readonly [is: (value: unknown) => boolean, wanted: string];

const isText = (value: unknown) => typeof value === "string" && value.trim() !== "";
const isUrl = (value: unknown) => typeof value === "string" && URL.canParse(value) && value.startsWith("https://");
const isOneOf = (names: readonly string[]) => (value: unknown) => typeof value === "string" && names.includes(value);
const isListOf = (is: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every(is);
const isWhole = (low: number, high: number) => (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && value >= low && value <= high;

const isSource = (value: unknown) => {
  const { kind, name, url, ...rest } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const known = isOneOf(["code", "paper", "about"])(kind) && isText(name) && (url === undefined || isUrl(url));
  return known && Object.keys(rest).length === 0;
};

const rules: Readonly<Record<keyof Paper, Rule>> = {
  line: [isWhole(1, 100_000), "a whole number from 1"],
  slug: [(value) => typeof value === "string" && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(value), "lower-case words and dashes"],
  title: [isText, "text"],
  year: [isWhole(1900, 2100), "a year"],
  url: [isUrl, "an https address"],
  family: [isOneOf(families), `one of ${families.join(", ")}`],
  tier: [isWhole(1, 5), "a whole number from 1 to 5"],
  needs: [isListOf(isOneOf(Object.keys(needs))), `some of ${Object.keys(needs).join(", ")}`],
  inBrowser: [(value) => typeof value === "boolean", "true or false"],
  claim: [isText, "text"],
  headline: [isText, "text"],
  metrics: [isListOf(isText), "a list of texts"],
  recipe: [isText, "text"],
  checked: [isOneOf(checks), `one of ${checks.join(", ")}`],
  sources: [isListOf(isSource), "a list of {kind: code, paper or about; name; url}"],
  notes: [isText, "text"],
};

const optional: readonly string[] = ["url", "headline", "sources", "notes"] satisfies (keyof Paper)[];

function checkEntry(entry: unknown, index: number): Paper {
  const fields = (typeof entry === "object" && entry !== null ? entry : {}) as Readonly<Record<string, unknown>>;
  const name = isText(fields.slug) ? String(fields.slug) : `entry ${index + 1}`;
  for (const [field, [is, wanted]] of Object.entries(rules)) {
    if (field in fields ? is(fields[field]) : optional.includes(field)) continue;
    throw new UserError(messages.badEntry(name, `its ${field} must be ${wanted}`));
  }
  const unknown = Object.keys(fields).find((field) => !(field in rules));
  if (unknown) throw new UserError(messages.badEntry(name, `there is no field ${unknown}`));
  return entry as Paper;
}
