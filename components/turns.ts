/** Charts are drawn one after the other, the nearest to what is in view first, and the page answers between them. */

interface Waiting {
  readonly element: Element;
  readonly go: () => void;
}

const waiting: Waiting[] = [];

const channel = new MessageChannel(); // timers rest where the page is in the background
channel.port1.onmessage = () => {
  const [next] = waiting.toSorted((a, b) => outOfView(a.element) - outOfView(b.element) || order(a.element, b.element));
  waiting.splice(waiting.indexOf(next), 1);
  if (waiting.length > 0) channel.port2.postMessage(undefined);
  next.go();
};

/** Resolves when it is the turn of this element. */
export function turnOf(element: Element): Promise<void> {
  return new Promise((go) => {
    waiting.push({ element, go });
    if (waiting.length === 1) channel.port2.postMessage(undefined);
  });
}

/** Pixels. */
function outOfView(element: Element): number {
  const { top, bottom } = element.getBoundingClientRect();
  return Math.max(0, top - innerHeight, -bottom);
}

function order(a: Element, b: Element): number {
  return a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;
}
