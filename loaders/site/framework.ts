/** Observable Framework as a library, kept quiet and off the network. */
import { root } from "../project.js";

/**
 * Framework resolves its own files against the working directory, reports on stdout what nobody asked for, and warns of
 * packages that are as they are. What matters of its warnings, the check of the built site finds.
 */
export function prepareFramework(debug: boolean): void {
  process.env.OBSERVABLE_TELEMETRY_DISABLE = "1";
  process.chdir(root);
  if (debug) return;
  console.log = () => {};
  console.warn = () => {};
  process.stdout.write = () => true;
}
