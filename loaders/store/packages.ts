/** Versions of the packages that a result depends on, as the lockfile pins them. */

interface Locked {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lockfile {
  readonly packages: Readonly<Record<string, Locked>>;
}

/** Type packages hold no code. */
const isCode = (name: string) => !name.startsWith("@types/");

/**
 * The version of each named package and of everything that these depend on, by the place in the tree where npm puts
 * it ("a", or "a/node_modules/b" for a version of its own).
 */
export function lockedVersions(lockfile: Lockfile, names: readonly string[]): Record<string, string> {
  const found = new Map<string, string>();
  const visit = (name: string, parent: string) => {
    const place = resolve(lockfile, name, parent);
    if (place === undefined || found.has(place)) return;
    const { version = "", dependencies, optionalDependencies } = lockfile.packages[place];
    found.set(place, version);
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies }).filter(isCode)) visit(next, place);
  };
  for (const name of names) visit(name, "");
  return Object.fromEntries(
    [...found].map(([place, version]) => [place.slice("node_modules/".length), version]).sort(),
  );
}

/** Node's look-up: in the package's own node_modules, then in its parents'. An optional package may be absent. */
function resolve({ packages }: Lockfile, name: string, parent: string): string | undefined {
  for (let folder = parent; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const place = `${folder}${folder && "/"}node_modules/${name}`;
    if (packages[place]) return place;
    if (folder === "") return undefined;
  }
}
