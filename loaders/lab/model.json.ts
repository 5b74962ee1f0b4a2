/** The bundled model's description, for a preview; a build writes it itself. */
import { modelDescription, readWeights } from "./parts.js";

process.stdout.write(await modelDescription(await readWeights()));
