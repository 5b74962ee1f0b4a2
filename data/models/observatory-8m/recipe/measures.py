"""What the records hold: attention statistics of a checkpoint, and the measures taken once at the end of a run.

Everything is computed in float32 from explicit attention weights, on fixed texts. A[q, k] is the weight that query q
gives to key k, q and k count from the start token at 0. Lists are [layer][head] unless they say otherwise.
"""
import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model import START, Attention, Decoder


def rounded(values: Tensor) -> list:
    """Five significant digits."""
    return np.vectorize(lambda value: float(f"{value:.5g}"))(values.double().cpu().numpy()).tolist()


def entropy(weights: Tensor) -> Tensor:
    """Entropy in nats of each row after it is divided by its sum. weights [..., keys]."""
    total = weights.sum(-1)
    return total.log() + torch.special.entr(weights).sum(-1) / total


def layers_of(model: Decoder, ids: Tensor, chunk: int) -> Iterator[tuple[int, Attention]]:
    for part in ids.split(chunk):
        yield from enumerate(model.attention(part))


class Mean:
    """Running means of tensors by name, one row per layer."""

    def __init__(self, layers: int) -> None:
        self.layers, self.sums, self.count = layers, defaultdict(lambda: [0] * layers), 0

    def add(self, name: str, layer: int, value: Tensor, weight: int) -> None:
        self.sums[name][layer] = self.sums[name][layer] + value * weight

    def result(self, total: int) -> dict[str, list]:
        return {name: rounded(torch.stack(rows) / total) for name, rows in self.sums.items()}


@torch.no_grad()
def attention_statistics(model: Decoder, texts: Tensor, repeated: Tensor) -> dict[str, list]:
    """texts [texts, length]; repeated [sequences, 1 + 2 * period], start token, then the same random tokens twice."""
    mean = Mean(model.config.layers)
    for layer, (residual, key, value, weights) in layers_of(model, texts, 8):
        size, rows = len(weights), weights[:, :, 1:]  # query 0 sees one key only
        mean.add("entropy", layer, entropy(rows).mean((0, 2)), size)
        mean.add("sink_mass", layer, rows[..., 0].mean((0, 2)), size)
        mean.add("previous_token_mass", layer, weights.diagonal(-1, -2, -1)[..., 1:].mean((0, 2)), size)  # queries 2, 3, ...
        mean.add("null_mass", layer, 1 - rows.sum(-1).mean((0, 2)), size)
        for name, vectors in (("value_norm_ratio", value), ("key_norm_ratio", key)):
            norms = vectors.norm(dim=-1)  # [batch, heads, length]
            mean.add(name, layer, (norms[..., 0] / norms[..., 1:].mean(-1)).mean(0), size)
        norms = residual.norm(dim=-1)  # [batch, length]
        mean.add("residual_norm_ratio", layer, (norms[:, 0] / norms[:, 1:].mean(-1)).mean(), size)
    result = mean.result(len(texts))
    mean, period = Mean(model.config.layers), repeated.shape[1] // 2
    for layer, (_, _, _, weights) in layers_of(model, repeated, 8):
        # query q of the second copy: its earlier occurrence is q - period, the token after that q - period + 1
        mean.add("induction", layer, weights.diagonal(1 - period, -2, -1)[..., 1:].mean((0, 2)), len(weights))
        mean.add("duplicate_token_mass", layer, weights.diagonal(-period, -2, -1)[..., 1:].mean((0, 2)), len(weights))
    return result | mean.result(len(repeated))


@torch.no_grad()
def token_losses(model: Decoder, stream: Tensor, length: int, chunk_tokens: int = 32_768) -> Tensor:
    """Cross-entropy in nats of every token of the stream, in windows of `length` that each start with token 0:
    [windows, length]. Tokens past the last whole window are left out."""
    targets = stream[:len(stream) // length * length].view(-1, length).long()
    ids = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)
    losses = []
    for part, target in zip(ids.split(max(1, chunk_tokens // length)), targets.split(max(1, chunk_tokens // length))):
        logits = F.linear(model(part), model.embedding.weight)  # [batch, length, vocabulary]
        losses.append(F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target))
    return torch.cat(losses)


def octaves(length: int) -> list[tuple[int, int]]:
    """[0, 1), [1, 2), [2, 4), [4, 8), ... up to length."""
    edges = [0] + [2 ** power for power in range(math.ceil(math.log2(length)))] + [length]
    return list(zip(edges, edges[1:]))


@torch.no_grad()
def loss_by_position(model: Decoder, stream: Tensor, length: int) -> Iterator[dict]:
    losses = token_losses(model, stream, length)
    for first, end in octaves(length):
        window_means = losses[:, first:end].mean(1)  # [windows]
        yield {"record": "loss_by_position", "window": length, "first": first, "end": end, "windows": len(losses),
               "loss": round(float(window_means.mean()), 5),
               "standard_error": round(float(window_means.std() / math.sqrt(len(losses))), 5)}


@torch.no_grad()
def attention_by_position(model: Decoder, stream: Tensor, length: int, windows: int = 8) -> Iterator[dict]:
    """Mean entropy and sink mass per query-position octave over whole windows of the held-out stream."""
    starts = torch.linspace(0, len(stream) - length, windows).long()
    ids = torch.stack([stream[start:start + length] for start in starts]).long()
    ids[:, 0] = START
    bins, mean = octaves(length), Mean(model.config.layers)
    for layer, (_, _, _, weights) in layers_of(model, ids, 1):
        row_entropy = entropy(weights).mean(0)  # [heads, length]
        for first, end in bins:
            mean.add(f"entropy {first}", layer, row_entropy[:, first:end].mean(-1), 1)
            mean.add(f"sink {first}", layer, weights[:, :, first:end, 0].mean((0, 2)), 1)
    result = mean.result(windows)
    for first, end in bins:
        yield {"record": "attention_by_position", "window": length, "first": first, "end": end, "windows": windows,
               "entropy": result[f"entropy {first}"], "sink_mass": result[f"sink {first}"]}


@torch.no_grad()
def mass_by_distance(model: Decoder, stream: Tensor, length: int, windows: int = 32) -> dict:
    """Attention by distance q - k in octaves, for queries of the second half, so that every octave below length / 2
    is complete. Key 0 is counted apart, whatever its distance. mass [layer][head][octave]."""
    starts = torch.linspace(0, len(stream) - length, windows).long()
    ids = torch.stack([stream[start:start + length] for start in starts]).long()
    ids[:, 0] = START
    position = torch.arange(length, device=ids.device)
    distance = position[length // 2:, None] - position[None, :]  # [queries, keys]
    bins, mean = octaves(length), Mean(model.config.layers)
    masks = torch.stack([(distance >= first) & (distance < end) for first, end in bins]).float()  # [octaves, queries, keys]
    masks[..., 0] = 0
    for layer, (_, _, _, weights) in layers_of(model, ids, 4):
        rows = weights[:, :, length // 2:]
        mean.add("mass", layer, torch.einsum("bhqk,oqk->ho", rows, masks) / (len(rows) * rows.shape[2]), len(rows))
        mean.add("sink_mass", layer, rows[..., 0].mean((0, 2)), len(rows))
    return {"record": "mass_by_distance", "window": length, "windows": windows, "octaves": bins} | mean.result(windows)


@torch.no_grad()
def retrieval(model: Decoder, prompts: dict[str, np.ndarray], longest: int, device: torch.device) -> Iterator[dict]:
    """Share of prompts whose every answer token is the most likely one. prompts holds, per task and length,
    "TASK LENGTH ids" [depths, prompts, length] (padded on the right) and "... answer" [depths, prompts, 2], first and end."""
    for name in sorted((name for name in prompts if name.endswith("ids")), key=lambda name: int(name.split()[1])):
        task, length = name.split()[0], int(name.split()[1])
        if length > longest:
            continue
        depths, count, _ = prompts[name].shape
        ids = torch.from_numpy(prompts[name].reshape(depths * count, length).astype(np.int64)).to(device)
        answers = torch.from_numpy(prompts[name.replace("ids", "answer")].reshape(depths * count, 2)).to(device)
        position, right = torch.arange(length, device=device), []
        for part, answer in zip(ids.split(max(1, 16_384 // length)), answers.split(max(1, 16_384 // length))):
            asked = (position >= answer[:, :1]) & (position < answer[:, 1:])  # [batch, length] tokens of the answer
            hidden = model(part)[:, :-1]  # position q predicts token q + 1
            wrong = torch.zeros_like(asked)
            rows = asked[:, 1:]
            wrong[:, 1:][rows] = F.linear(hidden[rows], model.embedding.weight).argmax(-1) != part[:, 1:][rows]
            right.append(~wrong.any(1))
        correct = torch.cat(right).view(depths, count).sum(1).tolist()
        for depth, hits in enumerate(correct):
            yield {"record": "retrieval", "task": task, "length": length, "depth": round(depth / (depths - 1), 4), "n": count, "correct": hits}
