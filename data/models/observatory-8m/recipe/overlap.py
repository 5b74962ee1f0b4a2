#!/usr/bin/env python3
"""How much of the held-out texts the training corpus also contains.

    python3 overlap.py corpus.jsonl.xz heldout.jsonl > ../../../texts/overlap.json
"""
import json
import lzma
import re
import sys
from collections.abc import Iterator

WORDS, PARAGRAPH = 13, 80  # length of a word sequence, and the characters that make a paragraph count


def sequences(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return [tuple(words[start:start + WORDS]) for start in range(len(words) - WORDS + 1)]


def paragraphs(text: str) -> Iterator[str]:
    return (part for part in text.split("\n\n") if len(part) >= PARAGRAPH)


def overlap(corpus: str, heldout: str) -> dict:
    with open(heldout) as file:
        texts = [json.loads(line)["text"] for line in file]
    wanted = [sequence for text in texts for sequence in sequences(text)]
    wanted_set, held_paragraphs = set(wanted), {part for text in texts for part in paragraphs(text)}
    found, documents, shared = set(), 0, set()
    with lzma.open(corpus, "rt") as file:
        for line in file:
            text = json.loads(line)["text"]
            documents += text in texts
            shared |= held_paragraphs.intersection(paragraphs(text))
            found |= wanted_set.intersection(sequences(text))
    return {"heldout_documents": len(texts), "documents_in_corpus": documents, "paragraphs_in_corpus": len(shared),
            "paragraph_characters": PARAGRAPH, "sequence_words": WORDS, "sequences": len(wanted),
            "sequences_in_corpus": sum(sequence in found for sequence in wanted)}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: overlap.py CORPUS HELDOUT")
    print(json.dumps(overlap(sys.argv[1], sys.argv[2])))
