#!/usr/bin/env python3
"""What every run shares, made once on the CPU: tokenizer, token streams, synthetic sequences, measuring prompts.

    python3 prepare.py corpus.jsonl.xz heldout.jsonl DATA_DIR
"""
import hashlib
import json
import lzma
import multiprocessing
import os
import random
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from prompts import Prompts, vocabulary

START_TEXT = "<|endoftext|>"  # token 0
SYNTHETIC_SEQUENCES = {1024: 32_768, 2048: 6_144}  # by length; the bundled model sees each about three times, a variant less than once
RETRIEVAL_LENGTHS, RETRIEVAL_DEPTHS, RETRIEVAL_PROMPTS = (256, 512, 1024, 2048, 4096), 10, 50


def train_tokenizer(texts: list[str], sample_bytes: int = 40_000_000) -> Tokenizer:
    """Byte-level BPE of 8,192 entries; token 0 opens and separates documents."""
    order, size, sample = random.Random(1).sample(texts, len(texts)), 0, []
    for text in order:
        sample.append(text)
        size += len(text)
        if size > sample_bytes:
            break
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.train_from_iterator(sample, trainers.BpeTrainer(
        vocab_size=8192, special_tokens=[START_TEXT], min_frequency=2, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def encode(tokenizer: Tokenizer, texts: list[str], copies: list[int]) -> np.ndarray:
    """0 document 0 document ..., each document as often as it is to be repeated."""
    parts = []
    for first in range(0, len(texts), 2000):
        for encoding, repeats in zip(tokenizer.encode_batch(texts[first:first + 2000]), copies[first:]):
            parts += [np.array([0] + encoding.ids, np.uint16)] * repeats
    order = np.random.default_rng(1).permutation(len(parts))
    return np.concatenate([parts[index] for index in order])


SHARED: tuple = ()  # what forked workers inherit: tokenizer, words, stream


def in_worker(task: tuple) -> tuple:
    """Runs in a forked process: some synthetic sequences, or the retrieval prompts of one task, length and depth."""
    kind, seed, (tokenizer, words, stream) = task[0], task[1], SHARED
    prompts = Prompts(tokenizer, words, stream, random.Random(seed))
    if kind == "sequences":
        _, _, length, count = task
        made = [prompts.sequence(length) for _ in range(count)]
        return np.stack([ids for ids, _ in made]), np.stack([weights for _, weights in made])
    _, _, name, length, depth = task
    ids, answers = np.zeros((RETRIEVAL_PROMPTS, length), np.uint16), np.zeros((RETRIEVAL_PROMPTS, 2), np.int64)
    for row in range(RETRIEVAL_PROMPTS):
        prompt, answer = prompts.retrieval(name, length, depth / (RETRIEVAL_DEPTHS - 1))
        ids[row, :len(prompt) + len(answer)] = prompt + answer
        answers[row] = len(prompt), len(prompt) + len(answer)
    return ids, answers


def prepare(corpus: Path, heldout: Path, data: Path) -> None:
    global SHARED
    data.mkdir(parents=True, exist_ok=True)
    lines = lzma.decompress(corpus.read_bytes())
    documents = [json.loads(line) for line in lines.split(b"\n") if line]
    texts = [document["text"] for document in documents]
    tokenizer = train_tokenizer(texts)
    tokenizer.save(str(data / "tokenizer.json"))
    stream = encode(tokenizer, texts, [document["copies"] for document in documents])
    held = [json.loads(line)["text"] for line in heldout.read_text().split("\n") if line]
    held_stream = encode(tokenizer, held, [1] * len(held))
    words = vocabulary(texts[::12])
    (data / "words.json").write_text(json.dumps(words))
    np.save(data / "stream.npy", stream)
    np.save(data / "heldout.npy", held_stream)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    SHARED = (tokenizer, words, stream)
    with multiprocessing.get_context("fork").Pool() as pool:
        for length, total in SYNTHETIC_SEQUENCES.items():
            made = pool.map(in_worker, [("sequences", length + seed, length, 64) for seed in range(total // 64)], chunksize=1)
            np.savez(data / f"synthetic-{length}.npz", ids=np.concatenate([ids for ids, _ in made]),
                     weights=np.concatenate([weights for _, weights in made]))
        cells = [(task, length) for task in ("key-value", "documents") for length in RETRIEVAL_LENGTHS]
        made = pool.map(in_worker, [("retrieval", 10_000 * length + depth, task, length, depth)
                                    for task, length in cells for depth in range(RETRIEVAL_DEPTHS)], chunksize=1)
    tables = {}
    for number, (task, length) in enumerate(cells):
        cell = made[number * RETRIEVAL_DEPTHS:(number + 1) * RETRIEVAL_DEPTHS]
        tables[f"{task} {length} ids"] = np.stack([ids for ids, _ in cell])
        tables[f"{task} {length} answer"] = np.stack([answers for _, answers in cell])
    np.savez(data / "retrieval.npz", **tables)
    facts = {"corpus_sha256": hashlib.sha256(lines).hexdigest(), "heldout_sha256": hashlib.sha256(heldout.read_bytes()).hexdigest(),
             "corpus_tokens": len(stream), "heldout_tokens": len(held_stream),
             "heldout_bytes_per_token": round(sum(len(text.encode()) for text in held) / (len(held_stream) - len(held)), 4)}
    (data / "facts.json").write_text(json.dumps(facts))
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: prepare.py CORPUS HELDOUT DATA_DIR")
    prepare(*map(Path, sys.argv[1:]))
