/** The database of the pages, as Framework's preview asks for it. */
import { compressedDatabaseModule } from "./site/database-module.js";

process.stdout.write(await compressedDatabaseModule());
