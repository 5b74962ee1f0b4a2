/**
 * The site. Framework renders it from node_modules alone: no module, font or style comes from a network, neither
 * while it is built nor while it is read.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = "src";

// Framework bundles `import("npm:…")` for its implicit built-ins and asks the registry for their latest version, even
// where no page uses one. An empty folder of that name in its cache answers the look-up without a network, and the
// impossible version makes any real use fail the build.
const builtIns = [
  "@observablehq/plot",
  "@observablehq/sample-datasets",
  "apache-arrow",
  "arquero",
  "d3",
  "d3-dsv",
  "echarts",
  "htl",
  "isoformat",
  "leaflet",
  "lodash",
  "mapbox-gl",
  "parquet-wasm",
  "react",
  "react-dom",
  "topojson-client",
];
for (const name of builtIns) {
  mkdirSync(join(root, ".observablehq/cache/_npm", `${name}@0.0.0-offline`), { recursive: true });
}

const pages = [
  { name: "Entropy", path: "/entropy" },
  { name: "Sinks", path: "/sinks" },
  { name: "Basin", path: "/basin" },
  { name: "Positional bias", path: "/positional-bias" },
  { name: "Long contexts", path: "/long-context" },
  { name: "Caches", path: "/kv-policies" },
  { name: "Model", path: "/model" },
  { name: "Lab", path: "/lab" },
  { name: "Papers", path: "/papers" },
  { name: "Benchmarks", path: "/benchmarks" },
];

/** One page per paper of the catalogue. */
const papers: readonly { readonly slug: string }[] = JSON.parse(readFileSync("data/catalogue.json", "utf8"));

function header({ path: current }: { path: string }): string {
  const links = pages.map(({ name, path }) => {
    const state = path === current ? ' aria-current="page"' : "";
    return `<a href="${path}"${state}>${name}</a>`;
  });
  const up = "../".repeat(current.split("/").length - 2) || "./"; // Framework makes no address of a form relative
  const search = `<form role="search" action="${up}search"><input type="search" name="q" placeholder="Search" aria-label="Search all pages"></form>`;
  return `<a class="brand" href="/">Attention Observatory</a><nav aria-label="Pages">${links.join(" ")}</nav>${search}`;
}

export default {
  root,
  output: "dist",
  title: "Attention Observatory",
  home: "Overview",
  pages,
  dynamicPaths: papers.map(({ slug }) => `/papers/${slug}`),
  header,
  sidebar: false, // the header holds the few pages that there are
  toc: { show: true, label: "On this page" },
  style: "style.css",
  globalStylesheets: [], // the default is Google Fonts
  head: `<link rel="icon" type="image/svg+xml" href="/icon.svg">`,
  footer: "Attention Observatory: every number on this page was computed by the experiment that its passport names.",
  search: false,
  pager: false,
  interpreters: { ".ts": [process.execPath, "loaders/start.mjs"] },
};
