"""What PyTorch takes for the same statistics: one layer and a whole model, eager and without statistics (SDPA).

Prints one JSON object per line: first the device and its measured ceilings, then one per measurement.
Usage: gpu_torch.py LENGTHS MODEL_LENGTHS, both separated by commas.
"""

import gc
import json
import math
import sys
import time

import torch

HEADS, HEAD_SIZE, LAYERS = 12, 64, 12
device = "cuda"


def timed(work, repeats=7):
    """Milliseconds of each repetition after two to warm up."""
    for _ in range(2):
        work()
    samples = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        samples.append((time.perf_counter() - start) * 1e3)
    return samples


def median(samples):
    return sorted(samples)[len(samples) // 2]


def say(**values):
    print(json.dumps(values), flush=True)


def fresh():
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def reductions(attention):  # [..., heads, queries, keys]
    entropy = -(attention * torch.log(attention.clamp_min(1e-12))).sum(-1)
    return entropy, attention[..., :4].sum(-1), attention.sum(-2)


def product_rate(dtype, size=8192):
    a = torch.randn(size, size, device=device, dtype=dtype)
    b = torch.randn_like(a)
    return 2 * size**3 / median(timed(lambda: a @ b)) / 1e9


def copy_rate(count=2**30):
    source = torch.zeros(count, device=device, dtype=torch.uint8).random_()
    target = torch.empty_like(source)
    return 2 * count / median(timed(lambda: target.copy_(source))) / 1e6


def layer(tokens, dtype):
    fresh()
    result = dict(kind="layer", T=tokens, dtype=str(dtype)[6:])
    try:
        query, key, value = (torch.randn(1, HEADS, tokens, HEAD_SIZE, device=device, dtype=dtype) for _ in range(3))
        attend = torch.nn.functional.scaled_dot_product_attention
        result["sdpa_ms"] = median(timed(lambda: attend(query, key, value, is_causal=True)))
        mask = torch.ones(tokens, tokens, device=device, dtype=torch.bool).tril()

        def eager():
            scores = (query @ key.transpose(-1, -2)) * (1 / math.sqrt(HEAD_SIZE))
            scores = scores.masked_fill(~mask, float("-inf"))
            return reductions(torch.softmax(scores, -1, dtype=torch.float32))

        result["eager_ms"] = median(timed(eager))
        result["peak_mb"] = torch.cuda.max_memory_allocated() / 1e6
    except torch.cuda.OutOfMemoryError:
        result["out_of_memory"] = True
    say(**result)


def model(tokens, dtype):
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        "llama",
        vocab_size=32000,
        hidden_size=HEADS * HEAD_SIZE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        intermediate_size=2048,
        max_position_embeddings=65536,
    )
    result = dict(kind="model", T=tokens, dtype=str(dtype)[6:])
    for implementation in ("sdpa", "eager"):
        fresh()
        try:
            decoder = AutoModelForCausalLM.from_config(config, attn_implementation=implementation, dtype=dtype)
            decoder = decoder.to(device).eval()
            ids = torch.randint(0, 32000, (1, tokens), device=device)

            def forward():
                with torch.no_grad():
                    eager = implementation == "eager"
                    output = decoder(input_ids=ids, output_attentions=eager, use_cache=False, logits_to_keep=1)
                    return [reductions(layer.float()) for layer in output.attentions] if eager else output.logits

            result[f"{implementation}_ms"] = median(timed(forward, repeats=3))
            result["peak_mb"] = torch.cuda.max_memory_allocated() / 1e6
        except torch.cuda.OutOfMemoryError:
            result["out_of_memory"] = True
        decoder = None
    say(**result)


torch.backends.cuda.matmul.allow_tf32 = False
say(
    kind="device",
    torch=torch.__version__,
    cuda=torch.version.cuda,
    copy_gb_per_s=copy_rate(),
    float32_tflops=product_rate(torch.float32),
    bfloat16_tflops=product_rate(torch.bfloat16),
)
for dtype in (torch.float32, torch.bfloat16):
    for tokens in map(int, sys.argv[1].split(",")):
        layer(tokens, dtype)
for tokens in map(int, sys.argv[2].split(",")):
    model(tokens, torch.float32)
