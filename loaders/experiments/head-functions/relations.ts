/** Pairs of tokens in a relation, as the vocabulary itself has them. */
import type { Random } from "../../../engine/random.js";
import type { Tokenizer } from "../../../engine/tokenizer.js";

export interface TokenPair {
  readonly source: number;
  readonly target: number;
}

export interface Relation {
  readonly name: string;
  /** The target counts where it is among so many. */
  readonly top: number;
  readonly pairs: readonly TokenPair[];
}

/** What a word, with the space before it, becomes. */
const forms: Readonly<Record<string, { readonly top: number; readonly of: (word: string) => string }>> = {
  copying: { top: 1, of: (word) => word },
  capital: { top: 10, of: (word) => word.replace(/[a-z]/, (letter) => letter.toUpperCase()) },
  "no space": { top: 10, of: (word) => word.trimStart() },
  plural: { top: 10, of: (word) => `${word}s` },
  "past tense": { top: 10, of: (word) => (word.endsWith("e") ? `${word}d` : `${word}ed`) },
  "-ing": { top: 10, of: (word) => (word.endsWith("e") ? `${word.slice(0, -1)}ing` : `${word}ing`) },
  "first letter": { top: 10, of: (word) => word.slice(0, word.startsWith(" ") ? 2 : 1) },
};

/**
 * For each relation as many pairs, drawn from all words of at least four letters (of any length in a vocabulary without)
 * whose form is one token too. Relations with fewer are left out.
 */
export function relationsOf(tokenizer: Tokenizer, vocabulary: number, pairs: number, random: Random): Relation[] {
  const ids = new Map<string, number>();
  for (let id = 0; id < Math.min(vocabulary, tokenizer.vocabulary); ++id) ids.set(tokenizer.token(id), id);
  const all = [...ids.keys()].filter((text) => /^ ?[a-z]+$/.test(text));
  const long = all.filter((text) => /^ [a-z]{4,}$/.test(text));
  const words = long.length > 0 ? long : all;
  return Object.entries(forms).flatMap(([name, { top, of }]) => {
    const found = words.flatMap((word) => {
      const [source, target] = [ids.get(word), ids.get(of(word))];
      if (source === target && name !== "copying") return [];
      return source === undefined || target === undefined ? [] : [{ source, target }];
    });
    return found.length < pairs ? [] : [{ name, top, pairs: random.shuffle(found).slice(0, pairs) }];
  });
}
