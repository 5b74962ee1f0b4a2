/** A search over the sections of all pages, in an index that the build writes; nothing is sent anywhere. */
import MiniSearch, { type Options } from "minisearch";
import { element, uniqueId } from "./element.js";
import { count } from "./format.js";

/** Results that are shown. */
const MOST = 30;

interface IndexFile {
  readonly options: Options;
  readonly index: Parameters<typeof MiniSearch.loadJS>[0];
}

async function load(): Promise<MiniSearch> {
  const response = await fetch(new URL("./search.json", document.baseURI));
  if (!response.ok) throw new Error("There is no index: the build of the site writes it.");
  const { options, index } = (await response.json()) as IndexFile;
  return MiniSearch.loadJS(index, options);
}

/** Begins with the words that the address asks for: `?q=`. */
export function search(): HTMLElement {
  const id = uniqueId("search");
  const value = new URLSearchParams(location.search).get("q") ?? "";
  const input = element("input", { id, type: "search", value, autocomplete: "off" });
  const status = element("p", { role: "status" });
  const list = element("ol", { class: "search-results" });
  const index = load();
  const find = async () => {
    try {
      show((await index).search(input.value).slice(0, MOST), input.value, status, list);
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  input.addEventListener("input", () => void find());
  void find();
  return element(
    "div",
    { class: "search" },
    element("label", { for: id }, "Words to look for in all pages"),
    input,
    status,
    list,
  );
}

type Found = ReturnType<MiniSearch["search"]>;

function show(found: Found, words: string, status: HTMLElement, list: HTMLElement): void {
  status.textContent = words.trim() === "" ? "" : `${count(found.length, "section")} found.`;
  const entries = found.map(({ id, page, heading, beginning }) =>
    element(
      "li",
      {},
      element("a", { href: String(id) }, String(heading)),
      page === heading ? null : element("span", { class: "search-page" }, String(page)),
      element("p", {}, String(beginning)),
    ),
  );
  list.replaceChildren(...entries);
}
