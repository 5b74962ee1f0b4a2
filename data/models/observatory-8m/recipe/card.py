#!/usr/bin/env python3
"""Fill the tables of the model card from the records and the manifest, so that no figure in it is typed by hand.

    python3 card.py
"""
import json
import math
import re
from pathlib import Path
from statistics import mean

MODEL = Path(__file__).resolve().parent.parent
RECORDS = MODEL.parent.parent / "training"
CARD = MODEL / "README.md"
SHOWN_STEPS = (0, 300, 1000, 3000, 5000, 10_000)


def read(name: str) -> list[dict]:
    return [json.loads(line) for line in (RECORDS / f"{name}.jsonl").read_text().split("\n") if line]


def heads(checkpoint: dict, name: str) -> list[float]:
    return [value for layer in checkpoint[name] for value in layer]


def table(header: list[str], rows: list[list[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def statistics_row(checkpoint: dict) -> list[object]:
    sinks = heads(checkpoint, "sink_mass")
    return [f"{checkpoint['heldout_loss']:.3f}", sum(sink > 0.3 for sink in sinks), sum(sink > 0.1 for sink in sinks), f"{max(sinks):.2f}",
            f"{max(heads(checkpoint, 'previous_token_mass')):.2f}", f"{max(heads(checkpoint, 'induction')):.2f}"]


def run_table(records: list[dict]) -> str:
    checkpoints = [record for record in records if record["record"] == "checkpoint"]
    header = ["step", "held-out loss", "heads with first-token mass > 0.3", "> 0.1", "largest", "best previous-token", "best induction"]
    return table(header, [[f"{checkpoint['step']:,}", *statistics_row(checkpoint)] for checkpoint in checkpoints
                          if checkpoint["step"] in SHOWN_STEPS or checkpoint is checkpoints[-1]])


def retrieval_table(records: list[dict]) -> str:
    cells: dict[tuple[str, int], list[dict]] = {}
    for record in records:
        if record["record"] == "retrieval":
            cells.setdefault((record["task"], record["length"]), []).append(record)
    rows = [[task, f"{length:,}", f"{mean(cell['correct'] / cell['n'] for cell in depths):.3f}",
             " ".join(f"{cell['correct'] / cell['n']:.2f}" for cell in depths)]
            for (task, length), depths in sorted(cells.items(), key=lambda item: (item[0][0] != "key-value", item[0][1]))]
    return table(["task", "tokens", "mean over ten depths", "by depth, first entry to last"], rows)


def variant_table(variants: tuple[str, ...], seeds: str = "[0-9]") -> str:
    """`seeds`: what follows VARIANT- in the names of the runs to show, as a glob; one length of training per table."""
    rows = []
    for variant in variants:
        runs = [[record for record in read(path.stem) if record["record"] == "checkpoint"][-1]
                for path in sorted(RECORDS.glob(f"{variant}-{seeds}.jsonl"))]
        columns = list(zip(*map(statistics_row, runs)))
        rows.append([variant, *(", ".join(map(str, column)) for column in columns)])
    return table(["variant", "held-out loss", "heads > 0.3", "> 0.1", "largest first-token mass", "best previous-token", "best induction"], rows)


def source_table() -> str:
    sources = json.loads((MODEL / "manifest.json").read_text())["sources"]
    return table(["package", "version", "licence of the texts", "documents", "MB", "repeated"],
                 [[source["package"], source["version"], source["licence"], f"{source['documents']:,}", f"{source['bytes'] / 1e6:.2f}", source["copies"]]
                  for source in sources])


def facts(records: list[dict]) -> str:
    passport, manifest, end = records[0], json.loads((MODEL / "manifest.json").read_text()), records[-1]
    bits = end["heldout_loss_f16"] / math.log(2) / passport["heldout_bytes_per_token"]
    return "\n".join([
        f"- Parameters: {passport['parameters']:,} (f16).",
        f"- Corpus: {manifest['documents']:,} documents, {manifest['unique_bytes'] / 1e6:.0f} MB, {manifest['bytes_with_copies'] / 1e6:.0f} MB with "
        f"repeated prose, {passport['corpus_tokens'] / 1e6:.1f} million tokens.",
        f"- Training: {passport['tokens'] / 1e9:.2f} billion tokens in {passport['steps']:,} steps, {end['training_seconds']:.0f} s on one "
        f"{passport['device']}, PyTorch {passport['torch']}.",
        f"- Held-out loss: {end['heldout_loss_f16']:.3f} nats per token, {bits:.3f} bits per byte "
        f"({passport['heldout_tokens']:,} tokens of {passport['heldout_bytes_per_token']:.2f} bytes, windows of 1,024 tokens).",
    ])


def overlap() -> str:
    count = json.loads((MODEL.parent.parent / "texts" / "overlap.json").read_text())
    return (f"Of {count['heldout_documents']} held-out documents {count['documents_in_corpus']} are in the corpus, of their paragraphs of "
            f"{count['paragraph_characters']} characters or more {count['paragraphs_in_corpus']}, and of their {count['sequences']:,} sequences of "
            f"{count['sequence_words']} words {count['sequences_in_corpus'] / count['sequences']:.1%}: phrases that manuals repeat.")


def main() -> None:
    records = read("main")
    sections = {"facts": facts(records), "training": run_table(records), "retrieval": retrieval_table(records),
                "variants": variant_table(("rope", "alibi", "learned", "nope", "softmax1")),
                "longer": variant_table(("rope", "softmax1"), "long-[0-9]"), "overlap": overlap(), "sources": source_table()}
    card = CARD.read_text()
    for name, content in sections.items():
        card = re.sub(rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda found: found[1] + content + "\n" + found[2], card, flags=re.S)
    CARD.write_text(card)


if __name__ == "__main__":
    main()
