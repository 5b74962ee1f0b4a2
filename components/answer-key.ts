/** What names a prepared answer: the query and the very files that it reads. The build and the page reckon alike. */

/** The tables that a query names. */
export const namedIn = (sql: string, tables: Iterable<string>): string[] =>
  [...tables].filter((name) => new RegExp(`\\b${name}\\b`).test(sql));

/** SHA-256 in hexadecimal. */
export async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param files by the name of their table, with their hashes */
export async function answerKey(sql: string, files: ReadonlyMap<string, string>): Promise<string> {
  const read = [...files].map(([name, hash]) => `${name} ${hash}`).sort();
  return hashOf(new TextEncoder().encode([sql, ...read].join("\n")));
}
