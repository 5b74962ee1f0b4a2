/** Signs that someone is about to ask a page something: most of what is opened is only read, by people and machines. */
const signs = ["pointermove", "pointerdown", "touchstart", "wheel", "keydown", "focusin"] as const;

let used = false;
const waiting: (() => void)[] = [];

for (const sign of signs) addEventListener(sign, begin, { capture: true, passive: true });

function begin(): void {
  used = true;
  for (const sign of signs) removeEventListener(sign, begin, { capture: true });
  for (const start of waiting.splice(0)) start();
}

/** Starts what only answers a reader's own questions, when there is one. */
export function whenUsed(start: () => void): void {
  if (used) start();
  else waiting.push(start);
}
