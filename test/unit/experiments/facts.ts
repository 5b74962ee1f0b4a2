/** Lists of facts in both formats, two of each, whose every item can be asked for. */
export function factRecords(items: number) {
  const names = Array.from({ length: items }, (_, i) => `k${String.fromCharCode(97 + (i % 26))}${i}`);
  const list = (id: number) => [
    { id: `keys-${id}`, format: "key-value", items: names.map((key, i) => ({ key, value: `v${i + id}` })) },
    {
      id: `documents-${id}`,
      format: "documents",
      items: names.map((name, i) => ({ text: `${name} is v${i}.`, question: `${name}?`, answer: `v${i}` })),
    },
  ];
  return [...list(1), ...list(2)];
}
