/**
 * Records of invented facts: `records.jsonl` for lists whose items must not differ in length, `lookups.jsonl` for long
 * contexts. Words are common ones, which byte-level tokenizers tend to keep whole, and every sentence has the form of a
 * template on which the bundled model was trained. `npx observatory prompts` writes both files.
 */
import { join } from "node:path";
import { Random } from "../../engine/random.js";
import { dataFolder } from "../project.js";

const words = (list: string) => list.split(/\s+/);

const NOUNS = words(
  `river house stone water door gate book paper letter ship boat horse bread bridge road tree sword engine machine
  clock table box flag silver iron wood wine oil grass fruit seed fish dog sheep church school factory prison
  station forest field city ring hat dress window wall room bed wheel song picture screen key lock chain hook glass
  arrow star fire shadow salt meat leaf rock sand container`,
);
const NAMES = words(
  `John David Moses Jacob Joseph Henry William Thomas Peter Paul Mark Samuel Solomon Abraham Aaron Saul Emma Fanny
  Dan Ben Sam Scott Tucker`,
);
const PLACES = words(
  `Israel Egypt Europe America Russia Jerusalem Japan England Britain France China Mexico Africa Asia Germany Babylon
  Spain Paris Zion Judah`,
);
/** Whole at the start of a line too, where no space precedes them. */
const KEYS = words(
  `file object class state name hand method process string result code order point power field sign option case user
  line change fact term memory land day text place group server law path mode port row source block thread leg level
  page array host print thing length body word query post arm stream root face cell`,
);
const QUALITIES = words(
  `red blue green white black yellow golden silver wooden iron old new small great dark long short deep cold warm bright
  heavy broken hidden narrow sweet young holy secret public private royal ancient simple perfect foreign common rich poor
  wild fresh smooth quiet flat`,
);

interface Template {
  readonly id: string;
  readonly subjects: readonly string[];
  readonly answers: readonly string[];
  readonly text: (subject: string, answer: string) => string;
  readonly question: (subject: string) => string;
}

const TEMPLATES: readonly Template[] = [
  {
    id: "password",
    subjects: NOUNS,
    answers: NOUNS,
    text: (subject, answer) => `The password for the ${subject} is ${answer}.`,
    question: (subject) => `What is the password for the ${subject}?`,
  },
  {
    id: "found",
    subjects: NOUNS,
    answers: NAMES,
    text: (subject, answer) => `The ${subject} was found by ${answer}.`,
    question: (subject) => `Who found the ${subject}?`,
  },
  {
    id: "lives",
    subjects: NAMES,
    answers: PLACES,
    text: (subject, answer) => `${subject} lives in ${answer}.`,
    question: (subject) => `Where does ${subject} live?`,
  },
];

const numbered = (prefix: string, n: number) => `${prefix}-${String(n + 1).padStart(2, "0")}`;

/** Pairs of distinct words in which nothing is both a subject and an answer. */
function draw(random: Random, { subjects, answers }: Pick<Template, "subjects" | "answers">, count: number) {
  const chosen = random.shuffle(subjects).slice(0, count);
  const others = random.shuffle(answers.filter((word) => !chosen.includes(word))).slice(0, count);
  return chosen.map((subject, i) => [subject, others[i]] as const);
}

/** Twenty items of one form and, word by word, one length: for n = 5 … 20 items in every order. */
export function records(seed = 1): object[] {
  const random = new Random(seed);
  const documents = Array.from({ length: 60 }, (_, i) => {
    const template = TEMPLATES[i % TEMPLATES.length];
    const items = draw(random, template, 20).map(([subject, answer]) => ({
      text: template.text(subject, answer),
      question: template.question(subject),
      answer,
    }));
    return { id: numbered(template.id, Math.floor(i / TEMPLATES.length)), format: "documents", items };
  });
  const pairs = Array.from({ length: 60 }, (_, i) => {
    const items = draw(random, { subjects: KEYS, answers: NOUNS }, 20).map(([key, value]) => ({ key, value }));
    return { id: numbered("keys", i), format: "key-value", items };
  });
  return [...documents, ...pairs];
}

/**
 * Needles: ten facts of mixed forms per record. Keys and values: 120 pairs per record, and no key twice in the file,
 * so that records can be joined to fill a long context.
 */
export function lookups(seed = 2): object[] {
  const random = new Random(seed);
  const needles = Array.from({ length: 48 }, (_, i) => {
    const facts = TEMPLATES.map((template) => ({ template, pairs: draw(random, template, 4) }));
    const items = Array.from({ length: 10 }, (_, k) => {
      const { template, pairs } = facts[k % facts.length];
      const [subject, answer] = pairs[Math.floor(k / facts.length)];
      return { text: template.text(subject, answer), question: template.question(subject), answer };
    });
    return { id: numbered("needles", i), format: "documents", items: random.shuffle(items) };
  });
  const keys = random.shuffle(QUALITIES.flatMap((quality) => NOUNS.map((noun) => `${quality} ${noun}`)));
  const pairs = Array.from({ length: 24 }, (_, i) => ({
    id: numbered("pairs", i),
    format: "key-value",
    items: keys.slice(120 * i, 120 * (i + 1)).map((key) => ({ key, value: random.pick(NOUNS) })),
  }));
  return [...needles, ...pairs];
}

const serialise = (list: readonly object[]) => list.map((record) => `${JSON.stringify(record)}\n`).join("");

export const files = {
  [join(dataFolder, "prompts/records.jsonl")]: () => serialise(records()),
  [join(dataFolder, "prompts/lookups.jsonl")]: () => serialise(lookups()),
};
