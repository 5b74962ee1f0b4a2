/** Every sentence that the command line says when something is wrong: what, where, and what would be right. */
const list = (names: readonly string[]) => (names.length === 0 ? "none" : names.join(", "));

const units = ["bytes", "KiB", "MiB", "GiB"];
function size(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

export const messages = {
  // The command line
  defect: (message: string) => `Failed: ${message} (--debug shows where).`,
  noSpace: "The disk is full: free some space and try again.",
  interrupted: "Interrupted; what was finished is kept.",
  unknownExperiment: (id: string, nearest: string | undefined, known: readonly string[]) =>
    `There is no experiment ${id}${nearest ? `; did you mean ${nearest}?` : `: there are ${list(known)}.`}`,
  deviceRefused: (device: string, why: string) => `${device} is passed over: ${why}.`,
  deviceTaken: (device: string) => `The device is ${device}.`,
  notASize: (option: string, text: string) => `${option} is ${text}, but must be a size such as 500MB or 10GB.`,
  notAWhole: (option: string, text: string) => `${option} is ${text}, but must be a whole number of at least 1.`,
  notAPort: (text: string) => `--port is ${text}, but must be a whole number from 0 to 65535.`,
  notASeed: (text: string) => `--seed is ${text}, but must be a whole number of at least 0.`,
  notAnAssignment: (text: string) => `--set ${text} is not of the form name=value.`,
  unknownDevice: (name: string) =>
    `There is no device ${name}: give cpu, cuda, wasm, webgpu, webgpu:NAME with part of a GPU's name, or auto.`,
  promptsForOne: "--prompts replaces the input of one experiment: name exactly one.",
  noPrompts: (experiment: string) => `The experiment ${experiment} reads no prompts that --prompts could replace.`,
  unknownParameter: (experiment: string, name: string, known: readonly string[]) =>
    `The experiment ${experiment} has no parameter ${name}: it has ${list(known)}.`,
  badParameter: (experiment: string, name: string, text: string, wanted: string) =>
    `The parameter ${name} of ${experiment} cannot be ${JSON.stringify(text)}: it must be ${wanted}.`,
  saveIsForDefaults:
    "--save keeps what the pages show by default, so it needs the bundled model and no --model, --prompts or --set.",
  folderNotEmpty: (folder: string) => `${folder} is not empty: give a folder that does not exist yet.`,

  // The catalogue
  badEntry: (name: string, fault: string) => `data/catalogue.json${name ? `, ${name}` : ""}: ${fault}.`,

  unknownPaper: (slug: string, nearest: string | undefined) =>
    `The catalogue has no paper ${slug}${nearest ? `; did you mean ${nearest}?` : "; `observatory catalogue` lists them."}`,
  badName: (name: string) =>
    `${JSON.stringify(name)} cannot be the name of an experiment: give one of lower-case words and dashes that is not in use.`,
  fileExists: (file: string) => `${file} exists already: give another name.`,

  // Inputs and models
  unreadableInput: (file: string) => `The input file ${file} cannot be read: give a JSONL file that exists.`,
  badLine: (file: string, line: number) => `${file}, line ${line} is not a JSON object: a JSONL file has one per line.`,
  emptyInput: (file: string) => `${file} holds no records: give a JSONL file with at least one line.`,
  noTokenizer: (folder: string) => `${folder} has no tokenizer.json, so its model cannot be given text.`,

  // A capture
  oneInput: "Give the prompt either by --text or by --ids, and not by both.",
  emptyText: "--text is empty; at least one token is needed.",
  unreadableIds: (file: string) => `The file ${file} cannot be read: --ids takes a JSON file that exists.`,
  notSequences: (file: string) =>
    `${file} does not hold token sequences: --ids takes a JSON file of the form [[id, …], …].`,
  notAnId: (file: string, sequence: number, place: number, value: string) =>
    `${file}: sequence ${sequence} holds ${value} at place ${place}, but a token id is a whole number.`,
  inSequence: (sequence: number, sentence: string) => `Sequence ${sequence}: ${sentence}`,
  notOneOf: (option: string, text: string, known: readonly string[]) =>
    `${option} is ${JSON.stringify(text)}, but must be one of ${list(known)}.`,
  notHeads: (text: string) =>
    `--rows is ${JSON.stringify(text)}, but must be all, or layers and heads counted from 0 as in 0.0,3.7.`,
  noSuchHead: (layer: number, head: number, layers: number, heads: number) =>
    `--rows names head ${layer}.${head}, but the model has layers 0 to ${layers - 1} of heads 0 to ${heads - 1}.`,
  rowsTooLarge: (tokens: number, most: number) =>
    `--rows holds whole attention matrices, and those of ${tokens} tokens are too large for that: give at most ${most} tokens, or leave --rows out.`,
  logitsTooLarge: (tokens: number, most: number) =>
    `--logits all of ${tokens} tokens is too large to be held: give at most ${most} tokens, or take --logits last.`,
  notFinite: (sequence: number, where: string) =>
    `The model computes no finite number in ${where} of sequence ${sequence}: its weights are too large for float32, or broken.`,
  badOut: (folder: string, code: string) =>
    `Nothing can be written to ${folder} (${code}): --out takes a folder, which is made where there is none.`,
  beyondTrained: (tokens: number, trained: number) =>
    `The prompt has ${tokens} tokens and the model was trained on ${trained}: what it does beyond them is extrapolation.`,

  // The hub
  notAHubName: (text: string) =>
    `${JSON.stringify(text)} is not the name of a model on the hub: give ORG/NAME or ORG/NAME@revision.`,
  notPulled: (text: string) =>
    `There is no folder ${text}, and no pulled model of that name: \`observatory models pull ${text}\` would fetch it from the hub.`,
  badEndpoint: (address: string) =>
    `HF_ENDPOINT is ${JSON.stringify(address)}, but must be an address that begins with https:// or http://.`,
  badToken: (where: string) => `The token in ${where} cannot be one: it holds spaces or characters beyond ASCII.`,
  hubOffline: "HF_HUB_OFFLINE is set, so nothing is pulled: unset it, or use what is pulled already.",
  hubOtherPull: (model: string) => `Another process pulls ${model}; waiting for it to end.`,
  hubUnreachable: (hub: string, why: string) =>
    `The hub at ${hub} cannot be reached (${why}): check the network, and HF_ENDPOINT if it is set.`,
  hubGarbled: (hub: string) =>
    `${hub} does not answer as a hub does: check HF_ENDPOINT, and whether the network asks for a login.`,
  hubNeedsToken: (hub: string, model: string) =>
    `The hub at ${hub} has no ${model} that everybody may see: check the name, or set HF_TOKEN to a token that may read it.`,
  hubBadToken: (hub: string, model: string) =>
    `The hub at ${hub} does not take the token for ${model}: set HF_TOKEN to a valid one from ${hub}/settings/tokens.`,
  hubForbids: (hub: string, model: string, name: string, token: boolean) =>
    `${model} is gated or private, and ${token ? "this token" : "somebody without a token"} may not read it: ask for access at ${hub}/${name}${token ? "" : ", and set HF_TOKEN"}.`,
  hubNoModel: (hub: string, model: string) => `The hub at ${hub} has no ${model}: check the name and the revision.`,
  hubNoRevision: (hub: string, model: string) =>
    `The hub at ${hub} has the model but not the revision of ${model}: give a branch, a tag or a commit.`,
  hubTooMany: (hub: string, seconds: number | undefined, token: boolean) =>
    `The hub at ${hub} answers no more requests for now (429): try again ${seconds === undefined ? "later" : `in ${seconds} s`}${token ? "" : ", or set HF_TOKEN, which raises the limit"}.`,
  hubFails: (hub: string, status: number) => `The hub at ${hub} has a fault of its own (${status}): try again later.`,
  hubCut: (hub: string, model: string, file: string, bytes: number, size: number, why: string) =>
    `${hub} does not send all of ${model}/${file} (${why} after ${bytes} of ${size} bytes): pull again to go on from there.`,
  hubWrongBytes: (hub: string, model: string, file: string, hash: string) =>
    `What ${hub} sends for ${model}/${file} is not the file it lists (hash ${hash}), so nothing of it was kept: try again later.`,
  hubDiskFull: (folder: string) => `The disk of ${folder} is full: free some space and pull again to go on from there.`,
  hubNoRoom: (needed: string, folder: string, free: string) =>
    `${needed} have to be fetched into ${folder}, where ${free} are free: free some space, or set HF_HOME to a larger disk.`,
  hubBadCache: (folder: string, code: string) =>
    `Nothing can be written to ${folder} (${code}): set HF_HOME to a folder where that can be done.`,
  hubNoConfig: (model: string) => `${model} has no config.json, so it is not a model that can be run.`,
  hubNoSafetensors: (model: string, others: readonly string[]) =>
    others.length === 0
      ? `${model} holds no weights: model.safetensors or model.safetensors.index.json is needed.`
      : `${model} holds its weights only as ${list(others)}, but safetensors are needed: look for a revision or a copy that has them.`,
  hubBadIndex: (model: string, file: string) => `${model}: ${file} does not say which file holds which tensor.`,
  hubNoShard: (model: string, file: string, shard: string) =>
    `${model}: ${file} names ${shard}, which the repository does not hold.`,

  // Results
  cannotPlan: "The code that plans the results cannot be run as it is now; what it says stands above.",
  broken: (experiment: string) => `${experiment} is broken`,
  fresh: (experiment: string, folder: string) => `${experiment} is fresh: ${folder}`,
  freshAgain: (experiment: string) => `${experiment} is fresh, and computed again`,
  toCompute: (experiment: string, reason: string | undefined) =>
    `${experiment} has to be computed: ${reason ?? "there is no result yet"}`,
  noResult: (experiment: string, why: string) => `There is no result of ${experiment}: ${why}.`,
  noSubject: (experiment: string) =>
    `the experiment ${experiment} is declared to read records only, and asks for a model`,
  unseen: (how: string) =>
    `${how}, and what it finds there would not be in the key: declare files as inputs, and import modules by their names`,
  undeclared: (variable: string | undefined) =>
    variable === undefined
      ? "it reads environment variables by names that are computed, which would not be in the key: read them by their names, and declare these as its environment"
      : `it reads the environment variable ${variable}, which would not be in the key: declare it as its environment`,
  changedMeanwhile: (experiment: string) => `code or inputs of ${experiment} changed while it began: run it again`,
  modelChanged: (folder: string) => `the files of ${folder} changed while the experiment read them: run it again`,
  processEnded: (experiment: string, how: string) =>
    `the process of ${experiment} ended by ${how} before it had a result${how === "SIGKILL" ? ", as one that needs more memory than there is does" : ""}`,
  couldNotRun: (experiment: string, why: string) => `the process of ${experiment} could not be run (${why})`,
  tooLittleMemory: (experiment: string, needed: number, there: number) =>
    `${experiment} declares that it needs ${needed} GiB of memory, and this machine has ${there.toFixed(1)}`,
  stopped: (experiment: string) => `${experiment} was stopped`,
  diskFull: (folder: string) =>
    `the disk of ${folder} is full, so the result was not written and nothing is left of it: free some space and run again`,
  missingFile: (file: string) => `${file} is missing`,
  wrongHash: (file: string) => `${file} is not what its passport says it is`,
  otherKey: (folder: string) => `${folder} holds the result of another key`,
  badPassport: (file: string, why: string) => `${file} is not a passport: ${why}`,
  badTable: (where: string, fault: string) => `${where} ${fault}.`,
  noSlurm: (command: string) =>
    `--runner slurm needs Slurm's ${command}, which is not here: run on a host that submits jobs, or without --runner.`,
  slurmRefuses: (command: string, said: string) => `Slurm's ${command} refuses: ${said}`,
  slurmEnded: (experiment: string, state: string) =>
    `Slurm has ended ${experiment} before it had a result (${state === "GONE" ? "nothing is known of its task" : state})`,
  slurmLost: (experiment: string) => `The node of ${experiment} was lost; it is submitted again.`,
  slurmElsewhere: (experiment: string, folder: string) =>
    `the result of ${experiment} is not in ${folder} as seen from here: its node must share this file system`,
  unknownRunner: (name: string) => `There is no runner ${name}: give local or slurm.`,
  toVerify: "it is computed again, to be compared",
  otherCodeWith: "--other-code says which results --with takes, so it needs that.",
  withNoDevice: "--with takes results as they were computed, so it goes without --device.",
  noResultsIn: (folder: string) =>
    `${folder} holds no results: --with takes the folder that \`observatory run --out\` has written.`,
  notIn: (folder: string, experiment: string) =>
    `${folder} holds no result of ${experiment}: \`observatory run ${experiment} --out\` puts one there.`,
  corruptIn: (experiment: string, what: string) => `The result of ${experiment} cannot be compared: ${what}.`,
  notComparable: (experiment: string, folder: string, changes: string) =>
    `The result of ${experiment} in ${folder} is none of what stands here: since it was computed, ${changes}.`,
  badRecord: (file: string, code: string) =>
    `Nothing can be written to ${file} (${code}): --record takes the name of a file.`,
  noRecord: (file: string, missing: readonly string[]) =>
    `${file} was not written, because ${list(missing)} could not be compared.`,
  recorded: (file: string) => `The comparison is in ${file}.`,
  noRevision: (revision: string) =>
    `There is no revision ${revision}: give a commit, a branch or a tag of this checkout.`,
  notACheckout: "The project is not a git checkout, so there is no revision to compare with.",
  storeInUse: "A run or a preview is at work, so nothing that was used within the last week is dropped.",
  collected: (count: number, bytes: number) =>
    `${count === 1 ? "One result was" : `${count} results were`} dropped from the store, and ${size(bytes)} are free.`,
  stillKept: (kept: number, keep: number) =>
    `${size(kept)} stay, more than the ${size(keep)} that were asked for: they are committed, current or being computed.`,
  setAside: (what: string, folder: string) =>
    `A stored result was corrupt and counts as missing: ${what}; it now lies in ${folder}.`,
  ignoredResult: (what: string) => `A committed result is corrupt and is not used: ${what}.`,

  unknownTable: (experiment: string, table: string, known: readonly string[]) =>
    `The experiment ${experiment} has no table ${table}: it has ${list(known)}.`,

  // The site
  unknownData: (where: string, experiment: string, table: string, known: readonly string[]) =>
    `${where} asks for data/${experiment}/${table}.arrow, but there is no such ${known.includes(experiment) ? "table" : `experiment: there are ${list(known)}`}.`,
  noFreePort: (host: string, from: number, to: number) =>
    `Every port from ${from} to ${to} on ${host} is taken: give a free one with --port.`,
  serving: (address: string) => `Attention Observatory: ${address}`,
  portTaken: (port: number, instead: number) => `Port ${port} is taken, so this is port ${instead}.`,
  notWatched: (path: string, code: string) =>
    `Changes in ${path} are not followed any more (${code}): start the preview again to have them followed.`,
  portForbidden: (port: number) =>
    `Port ${port} needs more rights than this user has: give one above 1023 with --port.`,
  hostUnknown: (host: string) => `${host} is not an address of this machine: give one that is, or 0.0.0.0 for all.`,
  foreignRequest: "This server answers only pages that it served itself, under an address of this machine.\n",
  noSite: (folder: string) => `There is no site in ${folder}: build one with \`npm run build\`.`,
  oldSite: (folder: string, changed: string) =>
    `The site in ${folder} was built before ${changed} was changed, and would be measured as it was: build it again with \`npm run build\`.`,
  otherBuild: "Another build is at work; waiting for it to end.",
  built: (folder: string) => `The site is in ${folder}.`,
  siteDefects: (defects: readonly string[]) =>
    `the site was built but is not whole, so the one before it stays in its place:\n${defects.map((text) => `  ${text}`).join("\n")}`,
  foreignData: (file: string) =>
    `data/${file} is not of the results that were to be published: another process has changed Framework's cache, so build again`,
  notFresh: (experiment: string, stale: string | undefined, reason: string | undefined) =>
    `${experiment} is ${stale ? "stale" : "missing"}${reason ? `: ${reason}` : ""}`,
  notPublished: (refused: readonly string[]) =>
    `The site was not built, because not all its results are fresh:\n${refused.map((text) => `  ${text}`).join("\n")}\nRun them (\`npx observatory run\`, or build with --run), or publish stale ones as such with --allow-stale.`,
  publishedStale: (experiment: string, reason: string) => `${experiment} is published though it is stale: ${reason}`,
  missingResults: (experiments: readonly string[]) =>
    `the site was not built, because these results could not be computed: ${list(experiments)}`,
};
