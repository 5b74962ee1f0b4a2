/** Time for charts to be drawn from what was prepared, before other work takes the processor. */
const drawing = 700; // ms

export function whenDrawn(start: () => void): void {
  setTimeout(
    () => ("requestIdleCallback" in globalThis ? requestIdleCallback(start, { timeout: drawing }) : start()),
    drawing,
  );
}
