/** A model's folder as the reader hands it over: chosen, or dropped on the page. Folders within it are left out. */

export interface Dropped {
  readonly name: string;
  readonly files: ReadonlyMap<string, File>;
}

/** What an input of folders holds. */
export function chosenFolder(list: FileList): Dropped {
  const files = new Map<string, File>();
  let name = "";
  for (const file of list) {
    const [folder, ...rest] = file.webkitRelativePath.split("/");
    name = folder;
    if (rest.length === 1) files.set(rest[0], file);
  }
  return { name, files };
}

/** A folder, or the files of one. Call it within the event: what was dropped is gone after it. */
export async function droppedFolder(items: DataTransferItemList): Promise<Dropped> {
  const entries = Array.from(items).flatMap((item) => item.webkitGetAsEntry() ?? []);
  const folder = entries.find((entry) => entry instanceof FileSystemDirectoryEntry);
  const within = folder instanceof FileSystemDirectoryEntry ? await entriesOf(folder) : entries;
  const files = new Map<string, File>();
  for (const entry of within) {
    if (entry instanceof FileSystemFileEntry)
      files.set(entry.name, await new Promise<File>((resolve, reject) => entry.file(resolve, reject)));
  }
  return { name: folder?.name ?? "What was dropped", files };
}

/** A reader hands out its entries some at a time, and none at the end. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
