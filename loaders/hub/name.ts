/** A model on the hub, as a user names it: ORG/NAME or ORG/NAME@revision. */
import { UserError } from "../../engine/errors.js";
import { messages } from "../messages.js";

export interface HubName {
  /** ORG/NAME; the oldest models have no organisation. */
  readonly name: string;
  /** A branch, a tag, or a commit's hash; absent where none was given. */
  readonly revision?: string;
}

const nameForm = /^(?!.*(--|\.\.))\w[\w.-]*(?<![.-])(\/\w[\w.-]*(?<![.-]))?$/; // "--" stands for "/" in the cache
const revisionForm = /^(?!.*(\.\.|\/\/))\w[\w./+-]*(?<![./])$/; // it becomes a path in the cache

/** What the text names, or undefined where it has not the form of a name. */
export function parseName(text: string): HubName | undefined {
  const [name, ...rest] = text.split("@");
  const revision = rest.length > 0 ? rest.join("@") : undefined;
  if (!nameForm.test(name) || (revision !== undefined && !revisionForm.test(revision))) return undefined;
  return { name, ...(revision === undefined ? {} : { revision }) };
}

/** @throws {UserError} where it has not the form of a name */
export function hubName(text: string): HubName {
  const name = parseName(text);
  if (!name) throw new UserError(messages.notAHubName(text));
  return name;
}

export const written = ({ name, revision }: HubName): string => (revision === undefined ? name : `${name}@${revision}`);

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);
