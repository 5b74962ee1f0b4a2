/** The review as an Arrow table for the page of all papers. */
import { Encoder } from "../runner/encoder.js";
import { sha256 } from "../store/hash.js";
import type { Result } from "../store/result.js";
import { batch, table } from "../table.js";
import { type Paper, readCatalogue } from "./paper.js";
import { type Row, review } from "./review.js";

const papers = table("papers", "Every paper of the catalogue, and what came of it here", {
  line: { kind: "int32", meaning: "Number in the catalogue" },
  slug: { kind: "text", meaning: "Name in the catalogue and in the address of its page" },
  title: { kind: "text", meaning: "Title of the paper" },
  year: { kind: "int32", meaning: "Year of publication" },
  family: { kind: "text", meaning: "What it is about" },
  claim: { kind: "text", meaning: "Its claim in our words" },
  metrics: { kind: "text", meaning: "How it is measured, one line per metric" },
  definition: { kind: "text", meaning: "How far the definitions were checked against the authors' code or paper" },
  status: { kind: "text", meaning: "measured: a result judges a claim of the paper; planned: none does yet" },
  verdict: { kind: "text", meaning: "What the claims that were judged agree on", optional: true },
  scope: { kind: "text", meaning: "The part of the paper that they are about, where it is not all", optional: true },
  experiment: { kind: "text", meaning: "The experiment that says most about it", optional: true },
  low: { kind: "float64", meaning: "Lower end of the 95 % interval of its first claim", optional: true },
  high: { kind: "float64", meaning: "Upper end of the 95 % interval of its first claim", optional: true },
  n: { kind: "int32", meaning: "Independent units behind it", optional: true },
});

/** The stream of the review of these results, with a passport that names them. */
export async function servedCatalogue(results: readonly Result[]): Promise<Uint8Array> {
  const catalogue = await readCatalogue();
  const rows = await review(catalogue, results);
  const encoder = new Encoder("catalogue", papers);
  encoder.append(
    batch(
      papers,
      catalogue.map((paper, i) => tableRow(paper, rows[i])),
    ).rows,
  );
  const keys = Object.fromEntries(results.map(({ passport }) => [passport.experiment, passport.key]));
  const passport = {
    key: sha256(JSON.stringify([catalogue, rows])),
    date: newest(results),
    experiment: "catalogue",
    title: "The catalogue of papers, joined with all results",
    results: keys,
  };
  return encoder.finish(new Map([["passport", JSON.stringify(passport)]]));
}

/** ISO 8601; the beginning of time where there is no result. */
export function newest(results: readonly Result[]): string {
  const dates = results.map(({ passport }) => passport.date);
  return [new Date(0).toISOString(), ...dates].sort().at(-1)!;
}

function tableRow(paper: Paper, { status, verdict, scope, experiment, interval, n }: Row) {
  const { line, slug, title, year, family, claim, checked: definition } = paper;
  const [low, high] = interval ?? [null, null];
  const metrics = paper.metrics.join("\n");
  const found = { status, verdict, scope, experiment, low, high, n };
  return { line, slug, title, year, family, claim, metrics, definition, ...found };
}
