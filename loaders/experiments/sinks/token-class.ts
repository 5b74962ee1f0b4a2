/** Coarse classes of tokens by their text: enough to ask whether attention collects on those that carry little content. */

export const classes = ["start", "newline", "punctuation", "number", "function word", "word", "word part"] as const;
export type TokenClass = (typeof classes)[number];

/** The classes that a text could lose without losing what it says. */
export const lowContent: ReadonlySet<TokenClass> = new Set(["newline", "punctuation"]);

/** English words that bind a sentence together, as in the usual stop-word lists, without their negations. */
const functionWords = new Set(
  `a about after all also an and any are as at be because been before being between both but by can could did do does
  during each for from had has have he her here him his how i if in into is it its me more most my of on only or other
  our out over own same she should so some such than that the their them then there these they this those through to
  under until up very was we were what when where which while who whom why will with would you your`.split(/\s+/),
);

const startsWord = (token: string) => /^[^\p{L}\p{N}]/u.test(token);
const isWordLike = (token: string | undefined) => token !== undefined && /^\p{L}/u.test(token);

/**
 * The class of each token of a text.
 * @param tokens texts of the tokens, leading spaces kept; undefined: a start token
 */
export function tokenClasses(tokens: readonly (string | undefined)[]): TokenClass[] {
  return tokens.map((token, i) => {
    if (token === undefined) return "start";
    if (token.includes("\n")) return "newline";
    if (!/[\p{L}\p{N}]/u.test(token)) return "punctuation"; // spaces too
    if (!/\p{L}/u.test(token)) return "number";
    const before = tokens[i - 1];
    const inside = !startsWord(token) && before !== undefined && /[\p{L}\p{N}]$/u.test(before);
    if (inside) return "word part";
    const whole = !isWordLike(tokens[i + 1]);
    return whole && functionWords.has(token.trim().toLowerCase()) ? "function word" : "word";
  });
}
