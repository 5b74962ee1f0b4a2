/** Browser tests begin when the site is there, which takes longer than a browser waits. */
import { inject } from "vitest";

const response = await fetch(inject("site"));
if (!response.ok) throw new Error(await response.text());
await response.body?.cancel();
