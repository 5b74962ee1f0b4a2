/** Where a result comes from: one readable line under every figure, everything on request, and a loud word on controls. */
import { element } from "./element.js";
import { number } from "./format.js";

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The passport that travels in the Arrow schema's metadata; only what the line names is typed. */
export interface Passport {
  readonly model?: { readonly name: string; readonly control?: string };
  readonly device?: { readonly name: string; readonly adapter?: string };
  readonly machine?: Readonly<Record<string, string>>;
  readonly commit?: string;
  /** Whether the checkout had no changes of its own. */
  readonly clean?: boolean;
  readonly key: string;
  /** ISO 8601 in UTC. */
  readonly date: string;
  /** What has changed since the result was computed, where a stale one is published. */
  readonly stale?: string;
  readonly [name: string]: Json | undefined;
}

/** The model that the sentences of this site are written about. */
const BUNDLED_MODEL = "observatory-8m";

export function parsePassport(text: string | undefined): Passport | undefined {
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  const { key, date } = (typeof value === "object" && value !== null ? value : {}) as Partial<Passport>;
  if (typeof key !== "string" || typeof date !== "string") throw new Error("its passport has no key or no date");
  return value as Passport;
}

/** Said where the result is stale, or its model is a control or not the one that this site is written about. */
export function warning({ model, stale }: Passport): string | undefined {
  if (stale)
    return `Stale: these numbers were computed before a change, and may not be what is computed now (${stale}).`;
  if (model?.control)
    return `Random-weight control (${model.control}): this model has learned nothing; what is shown is what an untrained network does.`;
  if (model && model.name !== BUNDLED_MODEL)
    return `Computed on ${model.name}, while the text of this page is written about ${BUNDLED_MODEL}.`;
  return undefined;
}

/** What stands under a figure. */
export function passportLine({ model, device, machine, commit, clean, key, date }: Passport): string {
  const parts = [
    model?.name,
    device?.name,
    device?.adapter ?? machine?.processor, // what ran the model
    commit && `commit ${commit.slice(0, 7)}${clean === false ? " with changes" : ""}`,
    `key ${key.slice(0, 8)}`,
    date.slice(0, 10),
  ];
  return parts.filter(Boolean).join(" · ");
}

function list(value: Json): HTMLElement {
  if (typeof value !== "object" || value === null)
    return element("span", {}, typeof value === "number" ? number(value, 6) : String(value ?? "–"));
  if (Array.isArray(value) && value.every((item) => typeof item !== "object"))
    return element("span", {}, value.join(", "));
  const entries = Object.entries(value); // an array's are its indices
  return element(
    "dl",
    {},
    ...entries.flatMap(([name, item]) => [element("dt", {}, name), element("dd", {}, list(item))]),
  );
}

/** The line and, opened, the whole passport. */
export function passportElement(passport: Passport): HTMLElement {
  const whole = element("div", { class: "passport-whole", tabindex: 0, role: "region", "aria-label": "Passport" });
  const node = element("details", { class: "passport" }, element("summary", {}, passportLine(passport)), whole);
  node.addEventListener("toggle", () => whole.replaceChildren(list(passport as Json)), { once: true });
  return node;
}
