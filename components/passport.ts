/** Where a result comes from: one readable line under every figure, everything on request, and a loud word on controls. */

import { element } from "./element.js";
import { number } from "./format.js";

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The passport that travels in the Arrow schema's metadata. Only what is shown in the line is named here. */
export interface Passport {
  readonly [name: string]: Json | undefined;
}

export const BUNDLED_MODEL = "observatory-8m";

export function parsePassport(text: string | undefined): Passport | undefined {
  if (!text) return undefined;
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Passport) : undefined;
}

function at(passport: Passport, ...path: readonly string[]): Json | undefined {
  let value: Json | undefined = passport as Json;
  for (const name of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    value = (value as { readonly [name: string]: Json })[name];
  }
  return value;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** Set where the model is a control, or not the one that the sentences of this site were written about. */
export function warning(passport: Passport): string | undefined {
  const name = text(at(passport, "model", "name"));
  if (at(passport, "model", "control"))
    return "Random-weight control: this model has learned nothing. What it shows is what an untrained network does.";
  if (name && name !== BUNDLED_MODEL)
    return `Computed on ${name}, not on the bundled model: the text of this page was written about ${BUNDLED_MODEL}.`;
  return undefined;
}

function line(passport: Passport): string {
  const key = text(passport.key);
  const date = text(passport.date) ?? text(passport.created);
  const commit = text(passport.commit);
  return [
    text(at(passport, "model", "name")),
    text(at(passport, "device", "name")) ?? text(passport.device),
    commit && `commit ${commit.slice(0, 7)}`,
    key && `key ${key.slice(0, 8)}`,
    date?.slice(0, 10),
  ]
    .filter(Boolean)
    .join(" · ");
}

function list(value: Json): HTMLElement {
  if (typeof value !== "object" || value === null)
    return element("span", {}, typeof value === "number" ? number(value, 6) : String(value ?? "–"));
  const entries: (readonly [string, Json])[] = Array.isArray(value)
    ? value.map((item: Json, index) => [String(index), item] as const)
    : Object.entries(value);
  return element(
    "dl",
    {},
    ...entries.flatMap(([name, item]) => [element("dt", {}, name), element("dd", {}, list(item))]),
  );
}

/** The line and, opened, the whole passport. */
export function passportElement(passport: Passport): HTMLElement {
  return element(
    "details",
    { class: "passport" },
    element("summary", {}, line(passport) || "Passport"),
    list(passport as Json),
  );
}
