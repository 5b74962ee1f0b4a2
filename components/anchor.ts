/** Fragments of the address lead to elements that come after the page has loaded: scroll to them once they are there. */
export function reveal(node: HTMLElement): void {
  if (node.id !== "" && decodeURIComponent(location.hash.slice(1)) === node.id)
    requestAnimationFrame(() => node.scrollIntoView());
}
