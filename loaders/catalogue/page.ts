/** The page of a paper, as Markdown for Framework: what is known of it as text, what came of it as cells. */
import { isRead, needs, type Paper, type Source } from "./paper.js";
import type { Study } from "./studies.js";

export function paperPage(paper: Paper, studies: readonly Study[]): string {
  const { title, claim } = paper;
  return [
    `---\ntitle: ${JSON.stringify(title)}\n---`,
    `# ${text(title)}`,
    `<p class="lede">${text(claim)}</p>`,
    `<p class="facts">${facts(paper).map(text).join(" · ")}</p>`,
    ...(studies.length > 0 ? measured(paper, studies) : planned(paper)),
    section("How the paper measures it", definition(paper)),
    section("A recipe at small scale", `<p>${text(paper.recipe)}</p>`),
    section("Limits", limits(paper, studies)),
    section("Citation", citation(paper)),
    `<p><a href="/papers">All papers</a></p>`,
  ].join("\n\n");
}

const section = (heading: string, html: string) => `## ${heading}\n\n${html}`;

/** Text as HTML in which neither Markdown nor Framework finds anything of its own. */
export function text(of: string): string {
  return of.replace(/[&<>"'`$*_[\]{}\\|~:@]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const list = (items: readonly string[]) => `<ul>\n${items.map((item) => `<li>${item}</li>`).join("\n")}\n</ul>`;

const known = {
  "code read": "definitions from the authors' code",
  "paper read": "definitions from the paper",
  "summary only": "definitions from summaries",
  "not yet": "definitions recalled",
} as const;

function facts({ line, year, family, checked }: Paper): string[] {
  return [`Paper ${line} of the catalogue`, String(year), family.replaceAll("-", " "), known[checked]];
}

function planned({ needs: needed, tier }: Paper): string[] {
  const missing = needed.map((need) => needs[need]).join("; ");
  const beyond = tier === 5 ? " It is about another modality than text, which this project has no models for yet." : "";
  const html = `<p>No experiment here judges a claim of this paper yet, so that there is no number to show. What a test needs: ${text(missing)}.${text(beyond)}</p>
<p>The recipe below says how it could be tried; <code>npx observatory new experiment</code> starts one.</p>`;
  return [section("Not measured yet", html)];
}

function measured(paper: Paper, studies: readonly Study[]): string[] {
  return [
    verdict(paper, studies),
    section("How it is measured here", studies.map(method).join("\n")),
    section("The rules, before the result", studies.map(rules).join("\n")),
    `## Results`,
    results,
  ];
}

function method({ experiment, method: paragraphs, page }: Study): string {
  const { title, question, parameters } = experiment;
  const name = page ? `<a href="${page}">${text(title)}</a>` : text(title);
  const rows = Object.entries(parameters).map(
    ([parameter, value]) => `<tr><th scope="row">${text(parameter)}</th><td>${text(String(value))}</td></tr>`,
  );
  return [
    `<h3>${name}</h3>`,
    `<p><em>${text(question)}</em></p>`,
    ...paragraphs.map((paragraph) => `<p>${text(paragraph)}</p>`),
    `<details><summary>Parameters</summary>\n<table><tbody>${rows.join("")}</tbody></table>\n</details>`,
  ].join("\n");
}

function rules({ claims }: Study): string {
  return list(
    claims.map(({ statement, rule, revised }) => {
      const change = revised === undefined ? "" : ` <em>Revised:</em> ${text(revised)}`;
      return `<strong>${text(statement)}</strong> ${text(rule)}${change}`;
    }),
  );
}

/** What came of the paper and of each of its claims, with room for it, and which experiments said so by which rules. */
function verdict(paper: Paper, studies: readonly Study[]): string {
  const sources = studies.map(({ experiment: { id } }) => ({ id, table: id.replaceAll("-", "_") }));
  const files = sources.map(({ id, table }) => `  ${table}: FileAttachment("/data/${id}/verdicts.arrow").href`);
  const options = JSON.stringify({ paper: paper.slug, read: isRead(paper), tables: sources.map(({ table }) => table) });
  const claims = studies.reduce((sum, study) => sum + study.claims.length, 0);
  const names = studies.map(
    ({ experiment: { title }, page = "#how-it-is-measured-here" }) => `<a href="${page}">${text(title)}</a>`,
  );
  return `\`\`\`js
import {database} from "/components/database.js";
import {figure} from "/components/figure.js";
import {claimsChart, paperCards, paperVerdict} from "/components/paper.js";
\`\`\`

\`\`\`js
const db = database({
  papers: FileAttachment("/data/catalogue.arrow").href,
${files.join(",\n")}
}, invalidation);
const paper = ${options};
\`\`\`

<div class="paper-verdict-room" style="--claims: ${claims}">

\`\`\`js
display(await paperVerdict(db, paper));
\`\`\`

</div>

<p class="facts">Measured by ${names.join(", ")}; judged by <a href="#the-rules-before-the-result">rules that stood before the run</a>.</p>`;
}

/** Its claims as a chart with the passport of the result, and as cards. */
const results = `\`\`\`js
display(figure({db, id: "claims", ...claimsChart(paper)}, invalidation));
\`\`\`

\`\`\`js
display(await paperCards(db, paper));
\`\`\``;

function definition(paper: Paper): string {
  const headline = paper.headline ? `<p>Its main figure: ${text(paper.headline)}.</p>` : "";
  return `${list(paper.metrics.map(text))}\n${headline}`;
}

const doubt = {
  "code read": "Definitions were read in the code that the authors released.",
  "paper read": "Definitions were read in the paper.",
  "summary only": "Definitions come from summaries of the paper and may differ from it.",
  "not yet": "Definitions are recalled and were not checked against the paper or its code.",
} as const;

function limits({ checked, notes }: Paper, studies: readonly Study[]): string {
  const onModel = studies.some(({ experiment }) => experiment.subject === "model");
  const scale = onModel ? " The model is small: what does not hold here is not refuted for larger ones." : "";
  return `<p>${doubt[checked]}${scale}</p>${notes ? `\n<p>${text(notes)}</p>` : ""}`;
}

function citation({ title, year, url, sources = [] }: Paper): string {
  const name = url ? `<a href="${text(url)}">${text(title)}</a>` : text(title);
  const read = sources.length > 0 ? `\n<p>What was read for this page:</p>\n${list(sources.map(source))}` : "";
  return `<div class="citation">\n<p><cite>${name}</cite>, ${year}.</p>${read}\n</div>`;
}

function source({ name, url }: Source): string {
  return url ? `<a href="${text(url)}">${text(name)}</a>` : text(name);
}
