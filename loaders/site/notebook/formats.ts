/** Endings of the files that a page can be taken away in, with what they are. */
export const FORMATS = { ipynb: "Jupyter notebook", md: "Markdown", bib: "BibTeX", cff: "CFF" } as const;
