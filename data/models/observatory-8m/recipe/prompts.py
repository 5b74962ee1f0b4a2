"""Synthetic sequences that teach retrieval from the context, and the prompts that measure it.

Every sequence starts with token 0. Four kinds: key-value records and queries; numbered documents with a fact each, then
questions; running text with facts hidden in it, then questions; repeated segments. Answers count three times in the loss,
what cannot be predicted counts little or nothing.
"""
import random
import re
from collections import Counter

import numpy as np

from model import START

ANSWER_WEIGHT = 3
COLOURS = "red blue green yellow black white brown grey purple orange silver golden".split()
ROLES = "mayor captain teacher doctor keeper baker judge miller pilot gardener librarian smith".split()
PAIRS = [("{}:", " {}\n")] * 3 + [("{} =", " {}\n"), ("{} ->", " {}\n"), ("- {}:", " {}\n"), ('"{}":', ' "{}",\n'), ("{} is", " {}.\n")]
HEADS = ["", "", "Records:\n", "Here is a list of keys and values.\n", "key: value\n", "Table of entries\n", "The register:\n"]
QUERY_HEADS = ["\n", "\n", "\n", "\nQuery:\n", "\nLookup:\n", "\nAnswers:\n", "---\n"]
DOCUMENT_HEADS = ["Document {}: ", "Document {}: ", "Document [{}] ", "{}. ", "Note {}: ", "Passage {}: "]
# fact, question, answer, and the fields that the question names
FACTS = [
    ("The secret code of {name} is {number}.", "What is the secret code of {name}?", " {number}", ("name",)),
    ("The magic number for {place} is {number}.", "What is the magic number for {place}?", " {number}", ("place",)),
    ("{name} lives in {place}.", "Where does {name} live?", " {place}", ("name",)),
    ("The {noun} is kept in the {other}.", "Where is the {noun} kept?", " in the {other}", ("noun",)),
    ("The {noun} was found by {name}.", "Who found the {noun}?", " {name}", ("noun",)),
    ("The password for the {noun} is {other}.", "What is the password for the {noun}?", " {other}", ("noun",)),
    ("The {role} of {place} is {name}.", "Who is the {role} of {place}?", " {name}", ("role", "place")),
    ("{name} paid {number} coins for the {noun}.", "How many coins did {name} pay for the {noun}?", " {number}", ("name", "noun")),
    ("The {noun} of {name} is {colour}.", "What colour is the {noun} of {name}?", " {colour}", ("noun", "name")),
    ("The best thing to do in {place} is to look for the {noun}.", "What is the best thing to do in {place}?", " look for the {noun}", ("place",)),
]
QUESTION = "\nQuestion: {}\nAnswer:"


def vocabulary(texts: list[str]) -> dict[str, list[str]]:
    """Nouns, names and places that the corpus itself uses, and sentences to fill documents with."""
    lower, nouns, names, places, sentences = Counter(), Counter(), Counter(), Counter(), []
    for text in texts:
        lower.update(re.findall(r"\b[a-z]{3,11}\b", text))
        nouns.update(re.findall(r"\b(?:the|a|his|her|their) ([a-z]{4,9})(?= (?:of|is|was|are|were|and|in|to|has|had|that|from)\b|[,.;])", text))
        names.update(re.findall(r"(?<=[a-z,] )([A-Z][a-z]{2,9})\b", text))
        places.update(re.findall(r"\b(?:in|from|at|near) ([A-Z][a-z]{3,10})\b", text))
        sentences += re.findall(r"(?<=[.!?] )([A-Z][a-z][^.!?\n]{30,140}[.!?])(?= )", text)[:4]

    def proper(words: Counter, most: int) -> list[str]:
        return sorted([word for word, count in words.most_common(4 * most) if count > 2 and lower[word.lower()] < 0.2 * count][:most])
    common = [word for word, count in nouns.most_common(3000) if count > 2 and not word.endswith(("ing", "ed", "ly"))]
    return {"noun": sorted(common[:1600]), "name": proper(names, 1200), "place": proper(places, 400), "sentence": sentences[:20_000]}


Piece = tuple[str | list[int], int]  # text or ids, and the weight of predicting each of its tokens


class Prompts:
    """Draws from `rng`; `stream` is the training corpus as token ids, documents separated by token 0."""

    def __init__(self, tokenizer, words: dict[str, list[str]], stream: np.ndarray, rng: random.Random) -> None:
        self.tokenizer, self.words, self.stream, self.rng = tokenizer, words, stream, rng
        self.newline = tokenizer.encode("\n").ids[0]

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    # ------------------------------------------------------------------------------------------ words and facts
    def word(self, kind: str) -> str:
        choose = self.rng.choice
        match kind:
            case "number":
                digits = choose((2, 3, 4, 4, 5, 6))
                return str(self.rng.randrange(10 ** (digits - 1), 10 ** digits))
            case "code":
                return "".join(choose("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(2)) + str(self.rng.randrange(10, 100))
            case "two":
                return choose(self.words["noun"]) + " " + choose(self.words["noun"])
            case "coloured":
                return choose(COLOURS) + " " + choose(self.words["noun"])
            case "snake":
                return choose(self.words["noun"]) + "_" + choose(self.words["noun"])
        return choose(self.words[kind])

    def pairs(self, count: int, key: str, value: str) -> list[tuple[str, str]]:
        return [(word, self.word(value)) for word in dict.fromkeys(self.word(key) for _ in range(count))]

    def facts(self, count: int) -> list[tuple[str, str, str]]:
        """Facts with their questions and answers, no question twice."""
        found: dict[str, tuple[str, str, str]] = {}
        for _ in range(count):
            fact, question, answer, _ = self.rng.choice(FACTS)
            fields = {"name": self.word("name"), "place": self.word("place"), "number": self.word("number"), "noun": self.word("noun"),
                      "other": self.word("noun"), "role": self.rng.choice(ROLES), "colour": self.rng.choice(COLOURS)}
            question = question.format(**fields)
            found.setdefault(question, (fact.format(**fields), question, answer.format(**fields)))
        return list(found.values())

    def running_text(self, length: int) -> list[int]:
        start = self.rng.randrange(len(self.stream) - length)
        return self.stream[start:start + length].tolist()

    # ------------------------------------------------------------------------------------------ training sequences
    def within(self, texts: list[str], budget: int) -> int:
        """How many of the texts fit into so many tokens."""
        return int(np.searchsorted(np.cumsum([len(ids) for ids in self.encode(texts)]), budget, "right"))

    def key_values(self, length: int) -> list[Piece]:
        rng = self.rng
        head, tail = rng.choice(PAIRS)
        key = rng.choice(("noun", "noun", "noun", "name", "two", "coloured", "code", "snake"))
        value = rng.choice(("number", "number", "noun", "noun", "name", "place", "coloured", "code"))
        budget = int(length * rng.uniform(0.3, 0.85))
        pairs = self.pairs(budget // 4 if rng.random() < 0.7 else rng.randrange(2, 24), key, value)
        lines = [head.format(a) + tail.format(b) for a, b in pairs]
        used = max(2, self.within(lines, budget))
        pairs, lines, plain = pairs[:used], lines[:used], int(rng.random() < 0.15)
        pieces: list[Piece] = [(rng.choice(HEADS), plain), ("".join(lines), plain), (rng.choice(QUERY_HEADS), plain)]
        for a, b in rng.sample(pairs, len(pairs)):
            pieces += [(head.format(a), plain), (tail.format(b), ANSWER_WEIGHT)]
        return pieces

    def documents(self, length: int) -> list[Piece]:
        rng = self.rng
        budget, filler = int(length * rng.uniform(0.3, 0.85)), rng.choice((0, 0, 1, 2))
        facts, head, plain = self.facts(budget // 12), rng.choice(DOCUMENT_HEADS), int(rng.random() < 0.3)
        lines = []
        for number, fact in enumerate(facts, 1):
            sentences = [fact[0]] + [rng.choice(self.words["sentence"]) for _ in range(rng.randrange(filler + 1))]
            lines.append(head.format(number) + " ".join(rng.sample(sentences, len(sentences))) + "\n")
        used = max(2, self.within(lines, budget))
        pieces: list[Piece] = [("".join(lines[:used]), plain)]
        for _, question, answer in rng.sample(facts[:used], min(used, len(facts))):
            pieces += [(QUESTION.format(question), plain), (answer + "\n", ANSWER_WEIGHT)]
        return pieces

    def haystack(self, length: int) -> list[Piece]:
        rng = self.rng
        facts = self.facts(rng.choice((1, 1, 2, 3, 4)))
        text = [token or self.newline for token in self.running_text(length - 45 * len(facts))]
        cuts = sorted(rng.randrange(len(text)) for _ in facts)
        pieces: list[Piece] = []
        for fact, start, end in zip(facts, [0] + cuts[:-1], cuts):
            pieces += [(text[start:end], 1), (f"\n{fact[0]}\n", 0)]
        pieces.append((text[cuts[-1]:], 1))
        for _, question, answer in rng.sample(facts, len(facts)):
            pieces += [("\n" + QUESTION.format(question), 1), (answer + "\n", ANSWER_WEIGHT)]
        return pieces

    def repetition(self, length: int) -> list[Piece]:
        rng, size = self.rng, self.rng.randrange(6, length // 2)
        if rng.random() < 0.5:
            segment = [rng.randrange(1, self.tokenizer.get_vocab_size()) for _ in range(size)]
        else:
            segment = self.encode(["\n" + " ".join(self.word(rng.choice(("noun", "name", "place", "number"))) for _ in range(size // 2 + 2))])[0]
        head = self.running_text(rng.randrange(length // 4)) if rng.random() < 0.5 else []
        return [(head, 1), (segment, 0)] + [(segment[:1], 0), (segment[1:], 1)] * (length // len(segment))

    def sequence(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """ids [length + 1], and the weight of predicting each but the first [length]."""
        kind = self.rng.choices([self.key_values, self.documents, self.haystack, self.repetition], [35, 25, 20, 20])[0]
        pieces = kind(length)
        encoded = iter(self.encode([piece for piece, _ in pieces if isinstance(piece, str)]))
        ids, weights = [START], []
        for piece, weight in pieces:
            tokens = next(encoded) if isinstance(piece, str) else piece
            ids += tokens
            weights += [weight] * len(tokens)
        rest = max(0, length + 1 - len(ids))
        ids += self.running_text(rest)  # a short sequence ends with running text
        weights += [1] * rest
        return np.array(ids[:length + 1], np.uint16), np.array(weights[:length], np.uint8)

    # ------------------------------------------------------------------------------------------ measuring prompts
    def retrieval(self, task: str, length: int, depth: float) -> tuple[list[int], list[int]]:
        """A prompt of at most `length` tokens, answer included, whose answer stands at `depth` (0 first, 1 last entry)
        among as many entries as fit; and the ids of the answer."""
        if task == "key-value":
            pairs = self.pairs(length // 4, self.rng.choice(("noun", "name", "two")), self.rng.choice(("number", "noun", "place")))
            entries = [(f"{key}: {value}\n", f"\n{key}:", f" {value}") for key, value in pairs]
        else:
            entries = [(f"Document {number}: {fact}\n", QUESTION.format(question), answer)
                       for number, (fact, question, answer) in enumerate(self.facts(length // 8), 1)]
        used = self.within([entry[0] for entry in entries], length - 40)  # 40: start token, question and answer
        chosen = entries[round(depth * (used - 1))]
        prompt, answer = self.encode(["".join(entry[0] for entry in entries[:used]) + chosen[1], chosen[2]])
        return [START] + prompt, answer
