/**
 * How far an experiment's numbers agree with those of another device: its columns, each against what it tolerates, and
 * its claims. The figures read the tables of the experiment `devices`, which records such comparisons; nothing here needs
 * a document, so that notebooks have them too.
 */
import type { Unit } from "./chart.js";
import type { Row } from "./database.js";
import type { FigureOptions } from "./figure.js";
import { count, number, percent } from "./format.js";
import { estimates, labelRoom } from "./specs.js";

/** What a page adds to show it. */
type Shown = Omit<FigureOptions, "db" | "height">;

/** Columns that are drawn: those farthest apart, in relation to what they tolerate. */
const DRAWN = 20;

/** Where columns are drawn that are equal in every value, which a logarithmic axis has no place for. */
const EQUAL = 1e-6;

/** Columns of one experiment, of the tables `gpu_columns` and `gpu_runs`. */
export function columnAgreement(experiment: string): Shown {
  return {
    id: "gpu-columns",
    table: "gpu_columns",
    claim: aboutColumns,
    sql: `
      WITH own AS (SELECT * FROM gpu_columns WHERE experiment = $experiment),
        total AS (
          SELECT count(*) AS columns, count(*) FILTER (WHERE within) AS agreeing,
            count(*) FILTER (WHERE within AND share = 0) AS equal
          FROM own
        )
      SELECT "table" || '.' || "column" AS name, if(within, 'within', 'beyond') AS state, share,
        if(share IS NULL OR unpaired > 0, greatest(10, 3 * max(share) OVER ()), greatest(share, ${EQUAL})) AS drawn,
        absolute, place, stored, again, differing, rows, unpaired, columns, agreeing, equal
      FROM own, total
      WHERE rule <> 'equal' OR NOT within
      ORDER BY drawn DESC, name
      LIMIT ${DRAWN}`,
    params: { experiment },
    spec: ({ rows, width }) => dots(rows, width),
    note: `Largest difference of each column, divided by what is tolerated there: what it declares, or 0.0001 of the value or of 1, whichever is larger. Columns that are equal in every value stand at the left edge. Names and whole numbers have to be equal: a column of them is drawn only where it is not, at the right edge, as is one with rows that only one of the results has. At most ${DRAWN} columns are drawn, the farthest apart first.`,
  };
}

/** Claims of one experiment, of the tables `gpu_claims` and `gpu_runs`. */
export function claimAgreement(experiment: string): Shown {
  return {
    id: "gpu-claims",
    table: "gpu_claims",
    claim: aboutClaims,
    sql: `
      WITH judged AS (
        SELECT *, if(stored_high > stored_low, (stored_high - stored_low) / 2, 1) AS half
        FROM gpu_claims WHERE experiment = $experiment
      ), sides AS (
        SELECT *, 'stored' AS run, stored_outcome AS outcome, stored_estimate AS estimate, stored_low AS low, stored_high AS high
        FROM judged
        UNION ALL
        SELECT *, 'again', again_outcome, again_estimate, again_low, again_high FROM judged
      )
      SELECT claim, run, device, outcome, same, estimate, low, high, (estimate - stored_estimate) / half AS distance,
        (low - stored_estimate) / half AS distance_low, (high - stored_estimate) / half AS distance_high
      FROM sides JOIN gpu_runs USING (run, experiment)
      ORDER BY claim, run DESC`,
    params: { experiment },
    spec: estimates({
      category: { field: "claim" },
      value: { field: "distance", title: "Half-widths from the stored estimate" },
      low: "distance_low",
      high: "distance_high",
      series: { field: "device" },
    }),
    note: "Estimates with 95 % intervals, each claim around its stored estimate and in half-widths of its stored interval, or in its own unit where that has no width. The estimates themselves are among the rows.",
  };
}

/** "cpu (AMD EPYC, 2026-11-22, 512 s, key 2c8c4527) and webgpu (…)", of rows of `gpu_runs`; the stored one first. */
export function comparedRuns(rows: readonly Row[]): string {
  const described = rows
    .toSorted((a, b) => Number(b.run === "stored") - Number(a.run === "stored"))
    .map(({ device, hardware, date, seconds, key }) => {
      const facts = [
        hardware,
        String(date).slice(0, 10),
        `${number(Number(seconds))} s`,
        `key ${String(key).slice(0, 8)}`,
      ];
      return `${device} (${facts.join(", ")})`;
    });
  return described.join(" and ");
}

/** Whether the page shows what was compared. @param published key of the result that it shows */
export function standing(rows: readonly Row[], published: string | undefined): string {
  const stored = rows.find(({ run }) => run === "stored");
  if (published === undefined || !stored) return "";
  return stored.key === published
    ? "The first is what this page shows."
    : `This page shows neither: its result was computed again since, with key ${published.slice(0, 8)}, and has not been compared with a GPU.`;
}

/** What is known to differ between the code of the two, as a sentence; nothing where they are of the same. */
export function changesBetween(rows: readonly Row[]): string {
  const changes = rows.find(({ changes }) => changes)?.changes;
  if (!changes) return "";
  const files = String(changes).split(", ");
  return `Between the two, ${count(files.length, "file")} of the code changed: ${files.join(", ")}.`;
}

function aboutColumns(rows: readonly Row[]): string {
  const [columns, agreeing, equal] = ["columns", "agreeing", "equal"].map((name) => Number(rows[0][name]));
  if (equal === columns) return `All ${count(columns, "column")} are equal in every value.`;
  const same = `${number(equal)} of them in every value`;
  if (agreeing < columns) {
    const beyond = rows.filter(({ state }) => state === "beyond");
    const named = beyond.slice(0, 3).map((row) => `${row.name} (${excess(row)})`);
    const others = columns - agreeing - named.length;
    const list = [...named, ...(others > 0 ? [`${number(others)} more`] : [])].join("; ");
    return `${number(agreeing)} of ${count(columns, "column")} agree within their tolerance, ${same}. Beyond it: ${list}.`;
  }
  const [farthest] = rows;
  return `All ${count(columns, "column")} agree within their tolerance, ${same}. Farthest apart is ${farthest.name}, by ${percent(Number(farthest.share))} of what is tolerated.`;
}

/** By how much a column is beyond its tolerance. */
function excess({ share, differing, unpaired, rows }: Row): string {
  if (Number(unpaired) > 0) return `${count(Number(unpaired), "row")} without ${unpaired === 1 ? "its" : "their"} like`;
  const places = `${number(Number(differing))} of ${count(Number(rows), "value")}`;
  return typeof share === "number" ? `${number(share)} times what is tolerated, ${places}` : `${places} not equal`;
}

function aboutClaims(rows: readonly Row[]): string {
  const again = rows.filter(({ run }) => run === "again");
  const changed = again.filter(({ same }) => !same).map(({ claim, outcome }) => `${claim} (${outcome})`);
  const farthest = again.reduce((a, b) => (apart(b) > apart(a) ? b : a));
  const most =
    apart(farthest) === 0
      ? "Their estimates are equal."
      : `Their estimates are at most ${number(apart(farthest), 2)} half-widths of an interval apart (${farthest.claim}).`;
  const claims = count(again.length, "claim");
  return changed.length === 0
    ? `All ${claims} come out the same on both. ${most}`
    : `${number(again.length - changed.length)} of ${claims} come out the same on both; otherwise on the second: ${changed.join(", ")}. ${most}`;
}

const apart = ({ distance }: Row) => Math.abs(Number(distance ?? 0));

/** A dot per column on a logarithmic axis, and a rule at what is tolerated. */
function dots(rows: readonly Row[], width: number): Unit {
  const farthest = Math.max(...rows.map(({ drawn }) => Number(drawn)));
  const names = rows.map(({ name }) => String(name));
  const fields = ["name", "place", "stored", "again", "absolute", "share"];
  return {
    layer: [
      {
        data: { values: [{}] },
        mark: { type: "rule", strokeDash: [4, 4], tooltip: false },
        encoding: { x: { datum: 1 } },
      },
      {
        mark: { type: "point", size: 60 },
        encoding: {
          y: {
            field: "name",
            type: "nominal",
            title: null,
            sort: names,
            axis: { labelLimit: labelRoom(width), grid: true, tickBand: "extent" },
          },
          x: {
            field: "drawn",
            type: "quantitative",
            title: "Share of what is tolerated (log scale)",
            scale: { type: "log", domain: [EQUAL, Math.max(10, farthest)] },
            axis: { format: "~g", tickCount: 7 },
          },
          color: {
            field: "state",
            type: "nominal",
            title: null,
            scale: { domain: ["within", "beyond"] },
            ...(rows.every(({ state }) => state === "within") ? { legend: null } : {}),
          },
          tooltip: fields.map((field) => ({ field })),
        },
      },
    ],
  };
}
