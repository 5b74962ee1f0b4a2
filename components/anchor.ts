/** The fragment of the address: the id of an element and, after a question mark, what a reader has changed about it. */

export interface Fragment {
  readonly id: string;
  readonly state: URLSearchParams;
}

export function fragment(): Fragment {
  const [id, ...state] = location.hash.slice(1).split("?");
  return { id: decoded(id), state: new URLSearchParams(state.join("?")) };
}

/** The address of an element of this page in a state. */
export function addressOf(id: string, state: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams(state).toString();
  return `${location.pathname}${location.search}#${encodeURIComponent(id)}${parameters && `?${parameters}`}`;
}

/** Fragments lead to elements that come after the page has loaded: scroll to them once they are there. */
export function reveal(node: HTMLElement): void {
  if (node.id !== "" && fragment().id === node.id) requestAnimationFrame(() => node.scrollIntoView());
}

/** Anything can stand in an address. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
