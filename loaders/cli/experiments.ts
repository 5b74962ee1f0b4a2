/** Names that the user types, turned into what they mean. */
import { UserError } from "../../engine/errors.js";
import { experimentIds } from "../experiments/index.js";
import { messages } from "../messages.js";

/** The experiments of these names; all where there are none. @throws {UserError} where one is unknown */
export async function chosenExperiments(names: readonly string[]): Promise<string[]> {
  const known = await experimentIds();
  for (const name of names) {
    if (!known.includes(name)) throw new UserError(messages.unknownExperiment(name, nearest(name, known), known));
  }
  return names.length > 0 ? [...new Set(names)] : known;
}

/** The candidate that fewest edits turn into the text, where those are few enough to be a slip. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((name) => ({ name, edits: editDistance(text, name) }))
    .sort((a, b) => a.edits - b.edits);
  return ranked.find(({ name, edits }) => edits <= Math.max(2, name.length / 3) || name.startsWith(text))?.name;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; ++i) {
    const next = [i];
    for (let j = 1; j <= b.length; ++j) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
