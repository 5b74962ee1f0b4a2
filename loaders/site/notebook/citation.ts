/** How to cite a page, with the keys of the runs whose results it shows. */
import type { CitedPassport } from "./page.js";

export interface Cited {
  /** File name without an ending. */
  readonly name: string;
  readonly title: string;
  readonly passports: readonly CitedPassport[];
}

const PROJECT = "Attention Observatory";
const AUTHORS = "The Attention Observatory maintainers";

const lastDate = ({ passports }: Cited) =>
  passports
    .map(({ date }) => date.slice(0, 10))
    .sort()
    .at(-1) ?? "";

/** The plain sentence. */
export function sentenceOf(cited: Cited): string {
  const keys = cited.passports.map(({ experiment, key }) => `${experiment} ${key}`).join(", ");
  return `${AUTHORS}: ${cited.title}. ${PROJECT}, ${lastDate(cited)}. Results: ${keys}.`;
}

export function bibtexOf(cited: Cited): string {
  const keys = cited.passports.map(({ experiment, key }) => `${experiment} ${key}`).join(", ");
  const [year, month] = lastDate(cited).split("-");
  const escaped = (text: string) =>
    text.replace(/[{}\\%&$#_~^]/g, (sign) => (/[{}%&$#_]/.test(sign) ? `\\${sign}` : ""));
  const fields = {
    author: `{${AUTHORS}}`, // one name, not to be taken apart
    title: escaped(cited.title),
    howpublished: PROJECT,
    year,
    month,
    note: `Results: ${escaped(keys)}`,
  };
  const lines = Object.entries(fields).map(([name, value]) => `  ${name} = {${value}},`);
  return `@misc{attention-observatory-${cited.name},\n${lines.join("\n")}\n}\n`;
}

/** @see https://github.com/citation-file-format/citation-file-format/blob/main/schema-guide.md */
export function cffOf(cited: Cited): string {
  const text = (value: string) => JSON.stringify(value); // a string of JSON is one of YAML
  const identifiers = cited.passports.flatMap(({ experiment, key }) => [
    "  - type: other",
    `    value: ${text(key)}`,
    `    description: ${text(`Key of the run of ${experiment}`)}`,
  ]);
  return `${[
    "cff-version: 1.2.0",
    `title: ${text(`${cited.title} (${PROJECT})`)}`,
    'message: "If you use these results, please cite them together with their keys."',
    "type: dataset",
    "license: Apache-2.0",
    "authors:",
    `  - name: ${text(AUTHORS)}`,
    `date-released: ${lastDate(cited)}`,
    "identifiers:",
    ...identifiers,
  ].join("\n")}\n`;
}
