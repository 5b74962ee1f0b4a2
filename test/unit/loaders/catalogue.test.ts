import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { UserError } from "../../../engine/errors.js";
import { paperPage, text } from "../../../loaders/catalogue/page.js";
import { catalogueFile, type Paper, parseCatalogue, readCatalogue } from "../../../loaders/catalogue/paper.js";
import { parts, review, shownVerdict, together } from "../../../loaders/catalogue/review.js";
import { openingComment, studiesByPaper } from "../../../loaders/catalogue/studies.js";
import { experimentIds, loadExperiment } from "../../../loaders/experiments/index.js";

const papers = await readCatalogue();

describe("the catalogue", () => {
  test("holds 119 papers, each complete", () => {
    expect(papers.map(({ line }) => line)).toEqual(Array.from({ length: 119 }, (_, i) => i + 1));
  });

  test("speaks of papers only", async () => {
    const words = /\b(find_string|index id|this session|workplace|TODO|XXX)\b|\/work\b/;
    expect(words.exec(await readFile(catalogueFile, "utf8"))).toBeNull();
  });

  test("knows every paper that an experiment names", async () => {
    const slugs = new Set(papers.map(({ slug }) => slug));
    for (const id of await experimentIds()) {
      const { papers: named, claims } = await loadExperiment(id);
      const claimed = claims.map(({ paper }) => paper).filter((paper) => paper !== "none");
      for (const slug of [...named, ...claimed]) expect(slugs, id).toContain(slug);
    }
  });

  const [paper] = papers;
  test.each<[string, (paper: Paper) => object, RegExp]>([
    ["a missing claim", ({ claim: _, ...rest }) => rest, /neural-phrase-based-mt: its claim must be text/],
    ["an unknown check", (of) => ({ ...of, checked: "skimmed" }), /its checked must be one of code read/],
    ["an unknown need", (of) => ({ ...of, needs: ["a crystal ball"] }), /its needs must be some of/],
    ["no metrics", (of) => ({ ...of, metrics: [] }), /its metrics must be a list/],
    ["a status that was typed", (of) => ({ ...of, status: "measured" }), /there is no field status/],
    ["an address that is none", (of) => ({ ...of, url: "arxiv" }), /its url must be an https address/],
  ])("refuses %s", (_, change, sentence) => {
    const changed = () => parseCatalogue(JSON.stringify([change(paper)]));
    expect(changed).toThrow(UserError);
    expect(changed).toThrow(sentence);
  });

  test("refuses a paper that is there twice, and what is no list", () => {
    expect(() => parseCatalogue(JSON.stringify([paper, paper]))).toThrow("its slug is there twice");
    expect(() => parseCatalogue("{}")).toThrow("it must be an array of papers");
  });
});

describe("verdicts", () => {
  test("on a paper are what its testable claims agree on", () => {
    expect(together(["replicated", "replicated"])).toBe("replicated");
    expect(together(["replicated", "not testable at this scale"])).toBe("replicated");
    expect(together(["replicated", "not replicated"])).toBe("mixed");
    expect(together(["not replicated", "mixed"])).toBe("mixed");
    expect(together(["not testable at this scale"])).toBe("not testable at this scale");
  });

  test("say where the definition was not read, and of what part of the paper they are", () => {
    expect(shownVerdict("replicated", null, { checked: "not yet" })).toBe("replicated, definition recalled");
    expect(shownVerdict("replicated", null, { checked: "summary only" })).toBe("replicated, definition recalled");
    expect(shownVerdict("mixed", null, { checked: "code read" })).toBe("mixed");
    expect(shownVerdict("replicated", "exact part", { checked: "code read" })).toBe("replicated, exact part");
    expect(shownVerdict("mixed", "random weights", { checked: "not yet" })).toBe(
      "mixed, random weights, definition recalled",
    );
  });

  test("on a part of a paper are of the experiment that is said to try that part, and of no other", async () => {
    const studies = await studiesByPaper();
    for (const [slug, { experiment }] of Object.entries(parts))
      expect(
        (studies.get(slug) ?? []).map((study) => study.experiment.id),
        slug,
      ).toEqual([experiment]);
  });

  test("are none without results", async () => {
    for (const row of await review(papers, []))
      expect(row).toMatchObject({ status: "planned", verdict: null, key: null, interval: null, n: null, models: [] });
  });
});

describe("a paper's page", () => {
  test("of what an experiment judges states method, rules and results", async () => {
    const studies = (await studiesByPaper()).get("rank-collapse-pure-attention") ?? [];
    const page = paperPage(papers.find(({ slug }) => slug === "rank-collapse-pure-attention")!, studies);
    for (const heading of ["How it is measured here", "The rules, before the result", "Results", "Limits", "Citation"])
      expect(page).toContain(`## ${heading}`);
    expect(page).toContain('FileAttachment("/data/rank-collapse/verdicts.arrow")');
    expect(page).toContain('<a href="/rank-collapse">');
    for (const { claims } of studies) for (const { rule } of claims) expect(page).toContain(text(rule));
  });

  test("says where each experiment departs from it", async () => {
    for (const [slug, studies] of await studiesByPaper()) {
      if (slug === "none") continue;
      for (const { experiment, method } of studies)
        expect(method.join(" "), `${experiment.id} on ${slug}`).toMatch(/\bDepartures?: /);
    }
  });

  test("begins with the verdict, and says which experiments gave it", async () => {
    const studies = (await studiesByPaper()).get("attention-sorting") ?? [];
    const page = paperPage(papers.find(({ slug }) => slug === "attention-sorting")!, studies);
    const [before, after] = page.split("## How it is measured here");
    expect(before).toContain("display(await paperVerdict(db, paper))");
    expect(before).toContain(
      'Measured by <a href="/basin">The attention basin</a>, <a href="/positional-bias">Positional bias</a>',
    );
    expect(before).toContain(`--claims: ${studies.flatMap(({ claims }) => claims).length}"`);
    expect(after).toContain("display(await paperCards(db, paper))");
  });

  test("says beside a rule what had been seen when it was changed", async () => {
    const studies = (await studiesByPaper()).get("rope-higher-dims-positional-heads") ?? [];
    const page = paperPage(papers.find(({ slug }) => slug === "rope-higher-dims-positional-heads")!, studies);
    const [, rules] = /## The rules, before the result\n(.*?)\n## /s.exec(page) ?? [];
    const revised = studies.flatMap(({ claims }) => claims.flatMap((claim) => claim.revised ?? []));
    expect(revised.length).toBeGreaterThan(0);
    for (const change of revised) expect(rules).toContain(text(change));
  });

  test("of what none judges has no cell and says what is missing", () => {
    const page = paperPage(papers[0], []);
    expect(page).toContain("## Not measured yet");
    expect(page).not.toContain("```");
  });

  test("shows text as it is", () => {
    expect(text("a*b_c <i> $" + "{x} `y`")).toBe("a&#42;b&#95;c &#60;i&#62; &#36;&#123;x&#125; &#96;y&#96;");
  });

  test("takes the method from the comment that opens the experiment", () => {
    expect(openingComment("/**\n * One\n * line.\n *\n * 1. First\n * 2. Second\n */\nimport")).toEqual([
      "One line.",
      "1. First",
      "2. Second",
    ]);
  });
});
