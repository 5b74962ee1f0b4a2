import { fileSource, Model, openBackend, openCheckpoint, openTokenizer } from "attention-observatory";

const source = fileSource(process.argv[2]);
const model = await Model.load(await openCheckpoint(source), await openBackend("auto"));
const ids = (await openTokenizer(source)).prompt(process.argv[3]);
const { entropy } = await model.forward({ ids }, { rows: true });
const [layers, heads, queries] = entropy.dims;
for (let head = 0; head < layers * heads; head++) {
  const nats = entropy.data.subarray(head * queries, (head + 1) * queries);
  console.log(
    `layer ${Math.floor(head / heads)}, head ${head % heads}: ${(nats.reduce((a, b) => a + b) / queries).toFixed(3)} nats`,
  );
}
