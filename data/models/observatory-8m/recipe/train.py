#!/usr/bin/env python3
"""Train the bundled model or a variant on one GPU, and record what its attention does on the way.

    python3 train.py DATA_DIR OUT_DIR --variant rope --seed 1 --tokens 2e8

DATA_DIR comes from prepare.py. Writes OUT_DIR/records.jsonl (data/training/README.md describes it) and, with --export, the
Hugging Face folder of the bundled model.
"""
import argparse
import hashlib
import json
import math
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from measures import attention_by_position, attention_statistics, loss_by_position, mass_by_distance, retrieval, token_losses
from model import START, VARIANTS, Decoder, hugging_face_config, hugging_face_weights
from prepare import START_TEXT

TRAINED_LENGTH, LONG_LENGTH = 1024, 2048
LONG_FROM = 0.8  # part of a long run after which it sees LONG_LENGTH tokens at once
BATCH_TOKENS = 65_536
SYNTHETIC_SHARE, DOCUMENT_START_SHARE = 0.125, 0.3
LEARNING_RATE, FINAL_RATE_SHARE, WARM_UP_STEPS, WEIGHT_DECAY, GRADIENT_NORM = 2e-3, 0.02, 200, 0.1, 1.0
CURVE_STEPS = 50
SCRIPTS = ("corpus.py", "prepare.py", "prompts.py", "model.py", "measures.py", "train.py")  # what can change the numbers
MEASURED_STEPS = {0, 10, 20, 50, 100, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 7000, 10_000, 15_000}


class Batches:
    """Random windows of the corpus, three in ten from the start of a document, and synthetic sequences, all on the GPU."""

    def __init__(self, data: Path, device: torch.device, seed: int) -> None:
        self.device = device
        self.generator = torch.Generator(device).manual_seed(seed)
        self.stream = torch.from_numpy(np.load(data / "stream.npy").astype(np.int16)).to(device)
        self.starts = (self.stream == 0).nonzero().flatten() + 1  # [documents]
        self.synthetic = {}
        for length in (TRAINED_LENGTH, LONG_LENGTH):
            arrays = np.load(data / f"synthetic-{length}.npz")
            self.synthetic[length] = tuple(torch.from_numpy(arrays[name].astype(np.int16)).to(device) for name in ("ids", "weights"))

    def random(self, high: int, count: int) -> Tensor:
        return torch.randint(high, (count,), device=self.device, generator=self.generator)

    def next(self, length: int) -> tuple[Tensor, Tensor, Tensor]:
        """ids, targets (int64) and weights (float32), each [batch, length]."""
        batch = BATCH_TOKENS // length
        made = round(batch * SYNTHETIC_SHARE)
        plain = batch - made
        starts = self.random(len(self.stream) - length, plain)
        aligned = round(plain * DOCUMENT_START_SHARE)
        starts[:aligned] = self.starts[self.random(len(self.starts), aligned)].clamp(max=len(self.stream) - length)
        targets = self.stream[starts[:, None] + torch.arange(length, device=self.device)]  # [plain, length]
        ids, weights = self.synthetic[length]
        rows = self.random(len(ids), made)
        targets = torch.cat([targets, ids[rows, 1:]]).long()
        weights = torch.cat([torch.ones(plain, length, device=self.device), weights[rows].float()])
        return torch.cat([torch.zeros_like(targets[:, :1]), targets[:, :-1]], 1), targets, weights


def learning_rate(step: int, progress: float) -> float:
    """Warm-up, then a cosine from LEARNING_RATE to FINAL_RATE_SHARE of it."""
    cosine = FINAL_RATE_SHARE + (1 - FINAL_RATE_SHARE) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return LEARNING_RATE * min(1.0, (step + 1) / WARM_UP_STEPS) * cosine


def driver() -> str:
    query = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True)
    return query.stdout.split("\n")[0]


def fixed_texts(heldout: Tensor) -> tuple[Tensor, Tensor]:
    """texts [32, 512]: start token and the first 511 tokens of the first 32 documents of the held-out stream
    that are long enough;
    repeated [32, 257]: start token and 128 random tokens twice."""
    edges = [*(heldout == 0).nonzero().flatten().tolist(), len(heldout)]
    texts = [heldout[first:first + 512] for first, end in zip(edges, edges[1:]) if end - first >= 512][:32]
    period = torch.randint(1, 8192, (32, 128), generator=torch.Generator().manual_seed(11)).to(heldout.device)
    return torch.stack(texts).long(), torch.cat([torch.zeros_like(period[:, :1]), period, period], 1)


def final_measures(model: Decoder, heldout: Tensor, data: Path, trained: int) -> Iterator[dict]:
    longest = trained if model.config.positions == "learned" else 4 * trained
    yield from loss_by_position(model, heldout, longest)
    yield from attention_by_position(model, heldout, longest)
    yield mass_by_distance(model, heldout, trained)
    yield from retrieval(model, dict(np.load(data / "retrieval.npz")), longest, heldout.device)


def export(model: Decoder, data: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(hugging_face_weights(model), folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(data / "tokenizer.json", folder)
    special = {"bos_token": START_TEXT, "eos_token": START_TEXT, "unk_token": START_TEXT}
    for name, content in {
        "config.json": hugging_face_config(model.config),
        "generation_config.json": {"bos_token_id": START, "eos_token_id": START, "do_sample": True, "temperature": 0.8, "top_k": 50},
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": model.config.context,
                                  "clean_up_tokenization_spaces": False, "add_prefix_space": False} | special,
    }.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")


def passport(data: Path, variant: str, seed: int, steps: int, model: Decoder, device: torch.device) -> dict:
    return {
        "record": "passport", "variant": variant, "seed": seed, "steps": steps, "tokens": steps * BATCH_TOKENS,
        "context": model.config.context, "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "batch_tokens": BATCH_TOKENS, "learning_rate": LEARNING_RATE, "synthetic_share": SYNTHETIC_SHARE,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu", "driver": driver() if device.type == "cuda" else "",
        "torch": torch.__version__, **json.loads((data / "facts.json").read_text()),
        "scripts_sha256": {name: hashlib.sha256((Path(__file__).parent / name).read_bytes()).hexdigest() for name in SCRIPTS},
    }


def train(data: Path, out: Path, variant: str, seed: int, tokens: float, long: bool, exported: bool, finish_by: float) -> None:
    """`finish_by` (Unix time): the schedule is shortened to end by then, should the device be slower than expected."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    torch.backends.cuda.enable_cudnn_sdp(False)  # flash attention for every length
    model = Decoder(replace(VARIANTS[variant], context=LONG_LENGTH if long else TRAINED_LENGTH)).to(device)
    if device.type == "cuda":
        model.compile_training()
    optimizer = torch.optim.AdamW([
        {"params": [parameter for parameter in model.parameters() if parameter.dim() == 2], "weight_decay": WEIGHT_DECAY},
        {"params": [parameter for parameter in model.parameters() if parameter.dim() == 1], "weight_decay": 0.0},
    ], lr=LEARNING_RATE, betas=(0.9, 0.95), fused=device.type == "cuda")
    batches = Batches(data, device, seed)
    heldout = torch.from_numpy(np.load(data / "heldout.npy").astype(np.int16)).to(device)
    texts, repeated = fixed_texts(heldout)
    steps, losses, started = round(tokens / BATCH_TOKENS), [], time.time()
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "records.jsonl", "w") as file:
        def record(**fields: object) -> None:
            file.write(json.dumps(fields) + "\n")
            file.flush()

        def checkpoint() -> None:
            loss = float(token_losses(model, heldout, TRAINED_LENGTH).mean())
            record(record="checkpoint", step=step, tokens=step * BATCH_TOKENS, heldout_loss=round(loss, 5), learning_rate=rate,
                   **attention_statistics(model, texts, repeated))
            print(f"{variant} {seed}: step {step}, held-out loss {loss:.3f}, {time.time() - started:.0f} s", flush=True)

        record(**passport(data, variant, seed, steps, model, device))
        step, rate = 0, 0.0
        while True:
            progress = max(step / steps, (time.time() - started) / max(1.0, finish_by - started))
            if step in MEASURED_STEPS or progress >= 1:
                checkpoint()
            if progress >= 1:
                break
            rate = learning_rate(step, progress)
            for group in optimizer.param_groups:
                group["lr"] = rate
            length = LONG_LENGTH if long and progress >= LONG_FROM else TRAINED_LENGTH
            with torch.autocast(device.type, torch.bfloat16):
                loss = model.loss(*batches.next(length))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            losses.append(loss.detach())
            if step % CURVE_STEPS == 0:
                record(record="curve", step=step, tokens=step * BATCH_TOKENS, loss=round(float(torch.stack(losses).mean()), 5),
                       learning_rate=rate, context=length)
                losses.clear()
        seconds = time.time() - started
        if exported:
            export(model, data, out / "model")
        with torch.no_grad():
            for parameter in model.parameters():  # what follows measures the weights as exported
                parameter.copy_(parameter.half())
        for fields in final_measures(model, heldout, data, LONG_LENGTH if long else TRAINED_LENGTH):
            record(**fields)
        record(record="end", step=step, tokens=step * BATCH_TOKENS, training_seconds=round(seconds, 1),
               heldout_loss_f16=round(float(token_losses(model, heldout, TRAINED_LENGTH).mean()), 5))
    print(f"{variant} {seed}: done, {step} steps in {seconds:.0f} s, {time.time() - started:.0f} s with measures", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--variant", choices=VARIANTS, default="rope")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens", type=float, default=1.04e9)
    parser.add_argument("--long", action="store_true", help=f"the last fifth at {LONG_LENGTH} tokens")
    parser.add_argument("--export", dest="exported", action="store_true", help="write the Hugging Face folder (rope only)")
    parser.add_argument("--finish-by", type=float, default=math.inf, help="Unix time by which training ends")
    train(**vars(parser.parse_args()))
