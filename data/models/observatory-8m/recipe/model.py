"""The decoder: Llama's architecture with exchangeable position encodings and an optional softmax with a zero logit.

Shapes in comments: batch, length (queries and keys are both of this length), heads, head (width of one head), width.
"""
import math
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

START = 0  # token id of <|endoftext|>: opens every sequence, separates documents


@dataclass(frozen=True)
class Config:
    """`positions`: rope (Su et al., arXiv:2104.09864), alibi (Press et al., arXiv:2108.12409), learned (a table of
    `context` rows) or none. `null_logit`: softmax1, exp(s) / (1 + sum exp(s)), one more logit that is always zero."""
    positions: str = "rope"
    null_logit: bool = False
    context: int = 1024
    vocabulary: int = 8192
    width: int = 256
    layers: int = 8
    heads: int = 8
    hidden: int = 688
    rope_theta: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        return self.width // self.heads


VARIANTS = {
    "rope": Config(),
    "nope": Config(positions="none"),
    "alibi": Config(positions="alibi"),
    "learned": Config(positions="learned"),
    "softmax1": Config(null_logit=True),
}


class Attention(NamedTuple):
    """What one layer did, in float32."""
    residual: Tensor  # [batch, length, width] input of the layer
    key: Tensor  # [batch, heads, length, head] after position encoding
    value: Tensor  # [batch, heads, length, head]
    weights: Tensor  # [batch, heads, length (queries), length (keys)]; rows sum to less than 1 with a null logit


def alibi_slopes(heads: int) -> Tensor:
    return 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)  # [heads]


def rope_tables(config: Config, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    frequency = config.rope_theta ** (-torch.arange(0, config.head, 2, device=device).float() / config.head)  # [head / 2]
    angle = torch.outer(torch.arange(length, device=device).float(), frequency).repeat(1, 2)  # [length, head]
    return angle.cos(), angle.sin()


def rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * tables[0] + torch.cat([-second, first], -1) * tables[1]


@cache
def causal_mask(length: int, device: torch.device) -> BlockMask:
    return create_block_mask(lambda batch, head, query, key: query >= key, None, None, length, length, device=device)


@cache
def attention_bias(config: Config, length: int, device: torch.device) -> Tensor:
    """ALiBi, the causal mask and, for a null logit, eight zero keys in front (seven of them masked; kernels want a multiple
    of eight) as a bias on the scores: [1, heads or 1, length (queries), keys]."""
    position = torch.arange(length, device=device)
    distance = (position[:, None] - position[None, :]).float()  # [queries, keys]
    bias = torch.zeros_like(distance)[None]
    if config.positions == "alibi":
        bias = -alibi_slopes(config.heads).to(device)[:, None, None] * distance
    bias = bias.masked_fill(distance < 0, -math.inf)
    if config.null_logit:
        bias = F.pad(F.pad(bias, (1, 0)), (7, 0), value=-math.inf)
    return bias[None]


class Layer(nn.Module):
    """Attention and SwiGLU, each with RMSNorm before it and a residual connection around it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.attention_norm = nn.RMSNorm(config.width, config.epsilon)
        self.query_key_value = nn.Linear(config.width, 3 * config.width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)
        self.mlp_norm = nn.RMSNorm(config.width, config.epsilon)
        self.gate_up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def project(self, x: Tensor, tables: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        batch, length, _ = x.shape
        heads = self.query_key_value(self.attention_norm(x)).view(batch, length, 3, self.config.heads, self.config.head)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each [batch, heads, length, head]
        if self.config.positions == "rope":
            query, key = rotate(query, tables), rotate(key, tables)
        return query.to(value.dtype), key.to(value.dtype), value

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self.output(attended.transpose(1, 2).flatten(2))  # [batch, length, width]
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)

    def forward(self, x: Tensor, tables: tuple[Tensor, Tensor], slopes: Tensor, causal: BlockMask | None) -> Tensor:
        """For training."""
        query, key, value = self.project(x, tables)
        if causal is None:
            return self.finish(x, F.scaled_dot_product_attention(query, key, value, is_causal=True))

        def score(logit, batch, head, position, other):
            return logit + slopes[head] * (other - position) if self.config.positions == "alibi" else logit
        attended, lse = flex_attention(query, key, value, score_mod=score, block_mask=causal, return_lse=True)
        if self.config.null_logit:  # sum / (1 + sum) = sigmoid(ln sum)
            attended = attended * torch.sigmoid(lse)[..., None].to(attended.dtype)
        return self.finish(x, attended)

    def measured(self, x: Tensor, tables: tuple[Tensor, Tensor], bias: Tensor | None) -> Tensor:
        """The same through the standard kernel in any precision, for any length."""
        query, key, value = self.project(x, tables)
        if self.config.null_logit:
            key, value = F.pad(key, (0, 0, 8, 0)), F.pad(value, (0, 0, 8, 0))
        return self.finish(x, F.scaled_dot_product_attention(query, key, value, attn_mask=bias, is_causal=bias is None))

    def explicit(self, x: Tensor, tables: tuple[Tensor, Tensor], slopes: Tensor) -> tuple[Tensor, Attention]:
        """The same by definition, keeping the attention weights."""
        query, key, value = self.project(x, tables)
        scores = query @ key.transpose(-1, -2) / math.sqrt(self.config.head)  # [batch, heads, length, length]
        position = torch.arange(x.shape[1], device=x.device)
        if self.config.positions == "alibi":
            scores += slopes[:, None, None] * (position[None, :] - position[:, None])
        scores.masked_fill_(position[None, :] > position[:, None], -math.inf)
        lse = scores.logsumexp(-1, keepdim=True)  # [batch, heads, length, 1]
        if self.config.null_logit:
            lse = torch.logaddexp(lse, torch.zeros_like(lse))
        weights = scores.sub_(lse).exp_()
        return self.finish(x, weights @ value), Attention(x, key, value, weights)


def cross_entropy(hidden: Tensor, embedding: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean over targets, weighted. hidden [batch, length, width], targets and weights [batch, length]."""
    logits = F.linear(hidden, embedding).float().flatten(0, 1)  # [batch * length, vocabulary]
    losses = F.cross_entropy(logits, targets.flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()


class Decoder(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.width)  # also the output matrix
        self.position = nn.Embedding(config.context, config.width) if config.positions == "learned" else None
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, config.epsilon)
        self.cross_entropy = cross_entropy
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("output.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * config.layers) if residual else 0.02)
        self.register_buffer("slopes", alibi_slopes(config.heads), persistent=False)

    def compile_training(self) -> None:
        """Compile one layer (all layers share the code) and the loss. Only `loss` uses what is compiled."""
        for layer in self.layers:
            layer.compile(dynamic=False)
        self.cross_entropy = torch.compile(cross_entropy, dynamic=False)

    @property
    def needs_flex(self) -> bool:
        """Attention that the standard kernel cannot do."""
        return self.config.positions == "alibi" or self.config.null_logit

    def embed(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)  # [batch, length, width]
        return x if self.position is None else x + self.position.weight[:ids.shape[1]]

    def forward(self, ids: Tensor) -> Tensor:
        """Last hidden states [batch, length, width] for ids [batch, length], for measuring."""
        x, tables = self.embed(ids), rope_tables(self.config, ids.shape[1], ids.device)
        bias = attention_bias(self.config, ids.shape[1], ids.device) if self.needs_flex else None
        for layer in self.layers:
            x = layer.measured(x, tables, bias)
        return self.norm(x)

    def loss(self, ids: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Mean cross-entropy in nats; ids, targets and weights [batch, length]."""
        x, tables = self.embed(ids), rope_tables(self.config, ids.shape[1], ids.device)
        causal = causal_mask(ids.shape[1], ids.device) if self.needs_flex else None
        for layer in self.layers:
            x = layer(x, tables, self.slopes, causal)
        return self.cross_entropy(self.norm(x), self.embedding.weight, targets, weights)

    def attention(self, ids: Tensor) -> Generator[Attention, None, Tensor]:
        """Yields an Attention per layer; the last residual stream [batch, length, width] is the generator's value."""
        x, tables = self.embed(ids), rope_tables(self.config, ids.shape[1], ids.device)
        for layer in self.layers:
            x, record = layer.explicit(x, tables, self.slopes)
            yield record
        return x


def hugging_face_weights(model: Decoder) -> dict[str, Tensor]:
    """Parameters under the names of LlamaForCausalLM, in float16."""
    weights = {"model.embed_tokens.weight": model.embedding.weight, "model.norm.weight": model.norm.weight}
    for number, layer in enumerate(model.layers):
        prefix = f"model.layers.{number}."
        query, key, value = layer.query_key_value.weight.chunk(3)
        gate, up = layer.gate_up.weight.chunk(2)
        weights |= {
            prefix + "input_layernorm.weight": layer.attention_norm.weight,
            prefix + "self_attn.q_proj.weight": query, prefix + "self_attn.k_proj.weight": key,
            prefix + "self_attn.v_proj.weight": value, prefix + "self_attn.o_proj.weight": layer.output.weight,
            prefix + "post_attention_layernorm.weight": layer.mlp_norm.weight,
            prefix + "mlp.gate_proj.weight": gate, prefix + "mlp.up_proj.weight": up, prefix + "mlp.down_proj.weight": layer.down.weight,
        }
    return {name: weight.detach().half().cpu().contiguous() for name, weight in weights.items()}


def hugging_face_config(config: Config) -> dict:
    assert config.positions == "rope" and not config.null_logit, "only the rope variant is a LlamaForCausalLM"
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": config.vocabulary, "hidden_size": config.width,
        "intermediate_size": config.hidden, "num_hidden_layers": config.layers, "num_attention_heads": config.heads,
        "num_key_value_heads": config.heads, "head_dim": config.head, "hidden_act": "silu", "max_position_embeddings": config.context,
        "rms_norm_eps": config.epsilon, "rope_theta": config.rope_theta, "rope_scaling": None, "tie_word_embeddings": True,
        "attention_bias": False, "attention_dropout": 0.0, "mlp_bias": False, "initializer_range": 0.02, "use_cache": True,
        "bos_token_id": START, "eos_token_id": START, "torch_dtype": "float16",
    }
