#!/usr/bin/env python3
"""Reference values of the exported model, computed by transformers in float32, for other implementations to be held against.

    python3 reference.py MODEL_DIR HELDOUT > reference.json

ids: start token and the first 63 tokens of the first held-out document with so many; top: the ten largest logits of the last
position; entropy: nats per layer, mean over heads and queries 1 to 63; heldout_loss: nats per token over the held-out
documents, each preceded by token 0, in windows of 1,024 tokens that start with token 0 (every window given to the model
is token 0 and 1,023 tokens of the stream; it predicts the 1,024 tokens).
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer

from measures import entropy, rounded
from prepare import encode


@torch.no_grad()
def reference(folder: Path, heldout: Path) -> dict:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval().to(device)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = [json.loads(line)["text"] for line in heldout.read_text().split("\n") if line]
    ids = next(ids for text in texts if len(ids := [0] + tokenizer.encode(text).ids) >= 64)[:64]
    result = model(torch.tensor([ids], device=device), output_attentions=True)
    top = result.logits[0, -1].topk(10)
    stream = torch.from_numpy(encode(tokenizer, texts, [1] * len(texts)).astype(np.int64)).to(device)
    losses = []
    for window in stream[:len(stream) // 1024 * 1024].view(-1, 1, 1024):
        inputs = torch.cat([torch.zeros_like(window[:, :1]), window[:, :-1]], 1)
        losses.append(torch.nn.functional.cross_entropy(model(inputs).logits[0], window[0]))
    return {
        "transformers": transformers.__version__, "torch": torch.__version__, "device": device, "ids": ids,
        "top": [{"id": int(token), "logit": round(float(logit), 5)} for token, logit in zip(top.indices, top.values)],
        "entropy": rounded(torch.stack([entropy(weights[0, :, 1:]).mean() for weights in result.attentions])),
        "heldout_loss": round(float(torch.stack(losses).mean()), 5),
    }


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: reference.py MODEL_DIR HELDOUT")
    print(json.dumps(reference(Path(sys.argv[1]), Path(sys.argv[2])), indent=1))
