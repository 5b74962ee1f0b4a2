/** The same function, which computes what it is asked for by each name once. */
export function memoized<T>(compute: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    const result = known.has(name) ? (known.get(name) as T) : compute(name);
    known.set(name, result);
    return result;
  };
}
