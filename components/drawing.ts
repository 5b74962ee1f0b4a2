/** Whether a chart's spec is Vega-Lite, and where it is not. Schemas are interpreted: compiling one would need eval. */
import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import type { Unit } from "./chart.js";

export interface Fault {
  /** Names and indices that lead to the value; none for the whole. */
  readonly path: readonly string[];
  readonly message: string;
}

/** What a spec is by the property that only its kind has; the schema of one kind gives clearer errors than that of all. */
const KINDS: Readonly<Record<string, string>> = {
  layer: "TopLevelLayerSpec",
  facet: "TopLevelFacetSpec",
  repeat: "TopLevelRepeatSpec",
  concat: "TopLevelConcatSpec",
  vconcat: "TopLevelVConcatSpec",
  hconcat: "TopLevelHConcatSpec",
};

/** Allowed values that an error names, at most. */
const MOST_NAMED = 12;

let schema: Promise<Schema> | undefined;

/** A spec as someone wrote it: the unit that can be drawn, or its first fault. */
export async function drawingOf(text: string): Promise<{ readonly unit: Unit } | Fault> {
  try {
    const unit: unknown = JSON.parse(text);
    if (!isObject(unit)) return { path: [], message: "A drawing is a JSON object." };
    schema ??= load();
    return check(unit, await schema) ?? { unit };
  } catch (error) {
    return { path: [], message: error instanceof Error ? error.message : String(error) };
  }
}

/** What JSON.parse makes of text with braces has no other values than these. */
function isObject(value: unknown): value is Unit {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function load(): Promise<Schema> {
  const response = await fetch(import.meta.resolve("vega-lite/vega-lite-schema.json"));
  if (!response.ok)
    throw new Error(`The schema of Vega-Lite could not be loaded: the server answered ${response.status}.`);
  return (await response.json()) as Schema;
}

/** @see https://vega.github.io/schema/vega-lite/v6.json, which is `schema` */
export function check(unit: Unit, { $schema, definitions }: Schema): Fault | undefined {
  const kind = Object.keys(KINDS).find((property) => property in unit);
  const $ref = `#/definitions/${kind ? KINDS[kind] : "TopLevelUnitSpec"}`;
  const { errors } = new Validator({ $schema, $ref, definitions }, "7", false).validate({
    data: { name: "rows" },
    ...unit,
  });
  return errors.length === 0 ? undefined : clearest(errors);
}

/** Of the errors of all alternatives, those at the deepest place come from the one that was meant. */
function clearest(errors: readonly OutputUnit[]): Fault {
  const depth = ({ instanceLocation }: OutputUnit) => instanceLocation.split("/").length;
  const own = errors.filter(({ keyword }) => !["$ref", "anyOf", "properties", "items"].includes(keyword));
  const deepest = own.reduce((most, error) => Math.max(most, depth(error)), 0);
  const places = new Map<string, OutputUnit[]>();
  for (const error of own.filter((error) => depth(error) === deepest))
    places.set(error.instanceLocation, [...(places.get(error.instanceLocation) ?? []), error]);
  // A property that no alternative knows has more errors than one that only some do not.
  const [[place, there]] = [...places].sort(([, a], [, b]) => b.length - a.length);
  const path = place
    .split("/")
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  return { path, message: sentence(path, there) };
}

function sentence(path: readonly string[], errors: readonly OutputUnit[]): string {
  const name = path.at(-1) ?? "the spec";
  const allowed = [...new Set(errors.flatMap(allowedValues))];
  if (allowed.length > 0) {
    const more = allowed.length > MOST_NAMED ? ", …" : "";
    return `"${name}" must be one of ${allowed.slice(0, MOST_NAMED).join(", ")}${more}.`;
  }
  if (errors.some(({ keyword }) => keyword === "false")) return `Vega-Lite knows no property "${name}" here.`;
  return `"${name}": ${errors[0].error}`;
}

function allowedValues({ keyword, error }: OutputUnit): string[] {
  if (keyword === "enum") return /\[(.*)\]/.exec(error)?.[1].split(",") ?? [];
  return keyword === "const" ? (/match (".*")/.exec(error)?.slice(1) ?? []) : [];
}
