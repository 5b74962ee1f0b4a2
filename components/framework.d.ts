/** What Framework 1.13.4 offers to modules of a page; the package ships no types. */
declare module "observablehq:stdlib" {
  /** Framework resolves the path, which must be written out, when it builds the page. */
  export function FileAttachment(path: string): { readonly href: string };
}
