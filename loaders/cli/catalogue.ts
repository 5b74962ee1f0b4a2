import { type Paper, readCatalogue } from "../catalogue/paper.js";
import { allPlans, freshResults, type Row, review, shownVerdict } from "../catalogue/review.js";
import { color, say } from "../terminal.js";

/** Prints the review: every paper, and what came of it. */
export async function catalogue({ json }: { readonly json?: boolean }): Promise<void> {
  const papers = await readCatalogue();
  const rows = await review(papers, await freshResults(await allPlans(say)));
  if (json) console.log(JSON.stringify(rows, null, 2));
  else for (const line of lines(papers, rows)) console.log(line);
}

function lines(papers: readonly Paper[], rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(({ slug }) => slug.length));
  const measured = rows.filter(({ status }) => status === "measured").length;
  return [
    ...rows.map((row, i) => {
      const verdict = row.verdict && shownVerdict(row.verdict, row.scope, papers[i]);
      const about = row.experiment ? `${row.experiment}, n = ${row.n}` : "";
      const paint = row.verdict ? color.bold : color.dim;
      return `${String(row.line).padStart(3)}  ${row.slug.padEnd(width)}  ${paint((verdict ?? row.status).padEnd(46))}  ${about}`.trimEnd();
    }),
    `${measured} of ${rows.length} measured`,
  ];
}
