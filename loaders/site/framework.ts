/** Observable Framework as a library, kept quiet and off the network. */
import { root } from "../project.js";

/** Framework resolves its own files against the working directory, and reports on stdout what nobody asked for. */
export function prepareFramework(debug: boolean): void {
  process.env.OBSERVABLE_TELEMETRY_DISABLE = "1";
  process.chdir(root);
  if (debug) return;
  console.log = () => {};
  process.stdout.write = () => true;
}
