/** Puts a built site in the place of the last one, all at once, and lets tabs that are open on the last one live on. */
import { constants } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { siteOutput, siteStaging, workFolder } from "../project.js";
import { absent, filesBelow, replaceFile } from "../store/system.js";

const previous = join(siteStaging, "before");
/** The files that the build of the published site made itself, without those that it took over. */
const manifest = join(workFolder, "site.json");

/** `staging` becomes the site. Of the last site, files with a hash in their name stay for as long as this one does. */
export async function publish(staging: string): Promise<void> {
  const own = await filesBelow(staging);
  for (const file of await takenOver(own)) {
    await mkdir(dirname(join(staging, file)), { recursive: true });
    await copyFile(join(siteOutput, file), join(staging, file), constants.COPYFILE_FICLONE);
  }
  await rm(previous, { recursive: true, force: true });
  await rename(siteOutput, previous).catch(absent);
  await rename(staging, siteOutput);
  await replaceFile(manifest, JSON.stringify(own));
  await rm(previous, { recursive: true, force: true });
}

/** A build that was killed between the two renames of `publish` leaves no site, and the last one beside it. */
export async function restoreLast(): Promise<void> {
  const exists = (await readdir(siteOutput).catch(absent)) !== undefined;
  if (!exists) await rename(previous, siteOutput).catch(absent);
}

/** What the last build made and this one did not; where both made the same, what the last one took over. */
async function takenOver(own: readonly string[]): Promise<string[]> {
  const there = (await filesBelow(siteOutput)).filter((file) => file.startsWith("_") && !own.includes(file));
  const text = await readFile(manifest, "utf8").catch(absent);
  if (text === undefined) return there;
  const last: readonly string[] = JSON.parse(text);
  const isSame = last.length === own.length && last.every((file, i) => file === own[i]);
  return isSame ? there : there.filter((file) => last.includes(file));
}
