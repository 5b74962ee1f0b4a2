/** The texts that readers can check, for a preview; a build writes them itself. */
import { textsToCheck } from "./texts.js";

process.stdout.write(await textsToCheck());
