#!/usr/bin/env python3
"""The whole training on one machine: prepare once, the bundled model on the first GPU, the variants on the others.

    python3 pipeline.py corpus.jsonl.xz heldout.jsonl OUT_DIR --seconds 560

Every finished run is copied to OUT_DIR at once: records of all runs, and the bundled model's folder in pieces small enough
for a narrow transfer (join with cat). A run that has not ended by then is stopped and left out.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import torch

from model import VARIANTS

RECIPE = Path(__file__).parent
PIECE = 15 << 20
MEASURE_SECONDS = 45  # kept free for the bundled model's final measures and packing


class Pipeline:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.work, self.out = arguments, arguments.work, arguments.out
        self.started = time.time()
        self.deadline = self.started + arguments.seconds
        self.lock = threading.Lock()
        seeds = range(1, arguments.seeds + 1)
        self.queue = [(variant, seed) for seed in seeds for variant in sorted(VARIANTS, key=lambda name: name not in ("softmax1", "alibi"))]

    def say(self, *words: object) -> None:
        print(f"[{time.time() - self.started:6.1f} s]", *words, flush=True)

    def train(self, gpu: int, name: str, *options: str) -> bool:
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": str(gpu), "OMP_NUM_THREADS": "4"}
        command = [sys.executable, str(RECIPE / "train.py"), str(self.work / "data"), str(self.work / name), *options]
        left = self.deadline - time.time()
        with open(self.work / f"{name}.log", "w") as log:
            try:
                code = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, timeout=left).returncode
            except subprocess.TimeoutExpired:
                code = -1
        lines = (self.work / f"{name}.log").read_text().strip().split("\n")
        self.say(name, "exit", code, *lines[-(1 if code == 0 else 20):])
        if code == 0:
            with self.lock:
                self.pack(name)
        return code == 0

    def pack(self, name: str) -> None:
        (self.work / "records").mkdir(exist_ok=True)
        shutil.copy(self.work / name / "records.jsonl", self.work / "records" / f"{name}.jsonl")
        with tarfile.open(self.out / "records.tar.xz", "w:xz") as archive:
            archive.add(self.work / "records", "records")
        if (self.work / name / "model").exists():
            shutil.copy(self.work / "data" / "words.json", self.work / name / "model")
            with tarfile.open(self.work / "model.tar", "w") as archive:
                archive.add(self.work / name / "model", "model")
            content = (self.work / "model.tar").read_bytes()
            for part in range(0, len(content), PIECE):
                (self.out / f"model.tar.{part // PIECE}").write_bytes(content[part:part + PIECE])

    def main_run(self, gpu: int) -> None:
        folder = self.work / "main" / "model"
        if self.train(gpu, "main", "--tokens", str(self.arguments.tokens), "--long", "--export",
                      "--finish-by", str(self.deadline - MEASURE_SECONDS)):
            command = [sys.executable, str(RECIPE / "reference.py"), str(folder), str(self.arguments.heldout)]
            result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": str(gpu)})
            self.say("reference exit", result.returncode, result.stderr[-500:] if result.returncode else "")
            (folder / "reference.json").write_text(result.stdout)
            with self.lock:
                self.pack("main")

    def variants(self, gpu: int) -> None:
        while True:
            with self.lock:
                if not self.queue or time.time() > self.deadline - MEASURE_SECONDS:
                    return
                variant, seed = self.queue.pop(0)
            self.train(gpu, f"{variant}-{seed}", "--variant", variant, "--seed", str(seed), "--tokens", str(self.arguments.variant_tokens))

    def run(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        self.out.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, str(RECIPE / "prepare.py"), str(self.arguments.corpus), str(self.arguments.heldout), str(self.work / "data")], check=True)
        self.say("prepared")
        gpus = torch.cuda.device_count()
        others = list(range(1, gpus)) or [0]
        threads = [threading.Thread(target=self.main_run, args=(0,))]
        threads += [threading.Thread(target=self.variants, args=(gpu,)) for gpu in others * self.arguments.runs_per_gpu]
        for thread in threads:
            thread.start()
            if gpus == 1 and thread is threads[0]:
                thread.join()
        for thread in threads:
            thread.join()
        self.say("left over:", json.dumps(self.queue))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("heldout", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--work", type=Path, default=Path("/tmp/observatory-training"))
    parser.add_argument("--seconds", type=float, default=560, help="wall-clock budget")
    parser.add_argument("--tokens", type=float, default=1.04e9)
    parser.add_argument("--variant-tokens", type=float, default=2e8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs-per-gpu", type=int, default=2)
    Pipeline(parser.parse_args()).run()
