"""Makes engine/self-check-reference.ts: what transformers computes in float32 with the self-check's model.

    node --import tsx test/golden/self-check-model.ts /tmp/self-check
    python test/golden/self_check.py /tmp/self-check > engine/self-check-reference.ts
"""

import json
import sys
from pathlib import Path

import torch
import transformers

folder = Path(sys.argv[1])
model = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
ids = torch.tensor([json.loads((folder / "ids.json").read_text())])
with torch.no_grad():
    out = model(ids, output_attentions=True)
attention = torch.cat(out.attentions)  # [layers, heads, queries, keys]
entropy = torch.special.entr(attention).sum(-1)  # [layers, heads, queries]
received = attention.sum(-2)  # [layers, heads, keys]
assert torch.allclose(attention.sum(-1), torch.ones_like(entropy), atol=1e-6, rtol=0)


def literal(values: torch.Tensor) -> str:
    return "[" + ", ".join(f"{value:.9g}" for value in values.flatten().tolist()) + "]"


print(f"""/**
 * What Hugging Face transformers {transformers.__version__} computes in float32 with the model of self-check.ts, eager attention.
 * Written by test/golden/self_check.py.
 */
export const reference = {{
  entropy: {literal(entropy)}, // [layers, heads, queries], nats
  received: {literal(received)}, // [layers, heads, keys]
  logits: {literal(out.logits[0, -1])}, // [vocabulary], of the last position
}} as const;""")
