/** The page loader of papers, for Framework's preview of one that the project has not prepared. */
import { parseArgs } from "node:util";
import { pageOfPaper } from "../../loaders/catalogue/pages.js";

const { values } = parseArgs({ options: { slug: { type: "string" } } });
const page = await pageOfPaper(values.slug ?? "");
if (page === undefined) throw new Error(`There is no paper ${values.slug} in data/catalogue.json.`);
process.stdout.write(page);
