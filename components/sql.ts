/** Values into SQL: what a figure shows as its query is exactly what was run. */

export type Value = string | number | boolean | null;
export type Parameters = Readonly<Record<string, Value | readonly Value[]>>;

function literal(value: Value | readonly Value[]): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : `'${value}'::DOUBLE`;
  if (typeof value === "boolean") return String(value);
  return `[${value.map(literal).join(", ")}]`;
}

/** Replaces $name outside of quotes and comments by the value's literal, so that the SQL shown is the SQL run. */
export function bind(sql: string, parameters: Parameters = {}): string {
  const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\$([A-Za-z_]\w*)/g;
  return sql.replace(token, (match: string, name: string | undefined) => {
    if (name === undefined) return match;
    if (!Object.hasOwn(parameters, name))
      throw new Error(`The query uses $${name}, which is not among its parameters.`);
    return literal(parameters[name]);
  });
}

/** A query that stood indented in the code of its page. */
export function outdent(sql: string): string {
  const lines = sql.split("\n");
  const indent = Math.min(
    ...lines
      .slice(1)
      .filter((line) => line.trim())
      .map((line) => line.length - line.trimStart().length),
  );
  return Number.isFinite(indent) ? [lines[0], ...lines.slice(1).map((line) => line.slice(indent))].join("\n") : sql;
}
