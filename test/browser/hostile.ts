/** Texts that mean harm, and how to tell that they did none. */
import type { Page } from "playwright-core";

/** Each would set `ran` if it were taken for code, or break something if it were not taken for text. */
export const payloads = [
  "<script>ran = 1</script>",
  "<img src=x onerror=ran=1>",
  '"><img src=x onerror=ran=1>',
  "'><svg onload=ran=1>",
  "<svg><script>ran=1</script></svg>",
  "<svg><animate onbegin=ran=1 attributeName=x dur=1s>",
  "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
  "<details open ontoggle=ran=1>",
  "<input autofocus onfocus=ran=1>",
  "<style>@import 'https://example.org/x.css'</style>",
  "<link rel=stylesheet href=https://example.org/x.css>",
  "<meta http-equiv=refresh content='0;url=https://example.org'>",
  "<base href=https://example.org/>",
  "<form action=https://example.org><button>x",
  "<a href=javascript:ran=1>x</a>",
  "<math><mtext></form><form><mglyph><style></math><img src onerror=ran=1>",
  "javascript:ran=1",
  "data:text/html,<script>ran=1</script>",
  "</p></main></body><script>ran=1</script>",
  "</title><script>ran=1</script>",
  "<!--><script>ran=1</script-->",
  "]]><script>ran=1</script>",
  "$" + "{ran=1}",
  "{{constructor.constructor('ran=1')()}}",
  "'; DROP TABLE profiles; --",
  '"; DROP TABLE profiles; --',
  "'||(SELECT 1)||'",
  "\\'; ran=1; //",
  "__proto__",
  "constructor",
  "toString",
  "NaN",
  "\u0000\u0001\u001f",
  "\u202ereversed\u202c",
  "\ud800",
  "e\u0301".repeat(2000),
  "\u{1f469}\u200d\u{1f52c}".repeat(100),
  "<".repeat(5000),
  "%00%3Cscript%3E",
  "\r\n\r\n<script>ran=1</script>",
];

/** What must not be there, whatever was read. */
export async function damage(page: Page): Promise<unknown> {
  return page.evaluate(() => ({
    ran: (globalThis as { ran?: unknown }).ran,
    elements: document.querySelectorAll(
      "main :is(script, img, iframe, meta, base, form:not(.vega-bindings), [onerror], [onload]), main :is(link, style):not(svg *)",
    ).length,
    links: [...document.querySelectorAll("a")].filter(({ protocol }) => !protocol.startsWith("http")).length,
    base: document.baseURI.startsWith(location.origin),
  }));
}
export const unharmed = { ran: undefined, elements: 0, links: 0, base: true };
