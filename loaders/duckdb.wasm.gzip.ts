/** The database of the pages, as Framework's preview asks for it. */
import { databaseModule } from "./site/database-module.js";

process.stdout.write(await databaseModule());
