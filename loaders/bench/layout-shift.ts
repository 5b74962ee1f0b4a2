/** How much of a page moves while it loads. @see https://web.dev/articles/cls */
import type { Page } from "playwright-core";

/** Call it before the page is opened. */
export async function watchShifts(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const shifts: { time: number; value: number }[] = [];
    Object.assign(globalThis, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number })[])
        shifts.push({ time: entry.startTime, value: entry.value });
    }).observe({ type: "layout-shift", buffered: true });
  });
}

/** The largest burst of shifts so far: less than a second between two, and five seconds in all. */
export async function largestShift(page: Page): Promise<number> {
  const shifts = (await page.evaluate("shifts")) as { time: number; value: number }[];
  let [most, burst, first, last] = [0, 0, 0, 0];
  for (const { time, value } of shifts) {
    const goesOn = time - last < 1000 && time - first < 5000;
    burst = goesOn ? burst + value : value;
    if (!goesOn) first = time;
    last = time;
    most = Math.max(most, burst);
  }
  return most;
}
