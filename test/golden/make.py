"""Makes the golden checkpoints: tiny models with random weights and what Hugging Face transformers computes with them.

    python test/golden/make.py [NAME …]        # all of them by default, into test/golden/checkpoints

Needs torch, transformers 5.17 and safetensors; nothing in the project does. Each folder gets config.json,
model.safetensors and reference.safetensors: input_ids [sequences, tokens], logits [sequences, tokens, vocabulary] and
attentions.N [sequences, heads, queries, keys], in float32 with eager attention. The folders gpt2, llama and llama3_rope
are older and not made here.
"""

import copy
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

OUT = Path(__file__).parent / "checkpoints"
TOKENS = 20

gpt = dict(vocab_size=96, n_embd=32, n_layer=2, n_head=4, n_positions=64, n_inner=48)
neo = dict(vocab_size=96, hidden_size=32, max_position_embeddings=64, num_heads=4, intermediate_size=48)
base = dict(
    vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
    max_position_embeddings=64,
)  # fmt: skip
llama = dict(base, num_key_value_heads=2)
opt = dict(vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=48, max_position_embeddings=64)
ends = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
falcon = dict(
    vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_hidden_size=48,
    max_position_embeddings=64,
)  # fmt: skip
original = dict(original_max_position_embeddings=16)

# name: (model_type, config), where `tokens` and `dtype` are for this script.
MODELS = {
    "bloom": ("bloom", dict(vocab_size=96, hidden_size=36, n_layer=2, n_head=6)),
    "bloom_normed_residual": ("bloom", dict(vocab_size=96, hidden_size=32, n_layer=2, n_head=4, apply_residual_connection_post_layernorm=True)),
    "falcon_7b": ("falcon", dict(falcon, multi_query=True, parallel_attn=True, new_decoder_architecture=False, alibi=False)),
    "falcon_40b": ("falcon", dict(falcon, num_kv_heads=2, new_decoder_architecture=True, bias=True, alibi=False)),
    "falcon_rw": ("falcon", dict(falcon, hidden_size=36, num_attention_heads=6, multi_query=False, parallel_attn=False, bias=True, alibi=True, tokens=32)),
    "gemma": ("gemma", dict(llama, num_key_value_heads=1, head_dim=12)),
    "gemma2": ("gemma2", dict(llama, num_hidden_layers=3, head_dim=12, sliding_window=6, query_pre_attn_scalar=10, attn_logit_softcapping=4.0, final_logit_softcapping=3.0)),
    "gemma3_text": ("gemma3_text", dict(llama, num_hidden_layers=3, head_dim=12, sliding_window=6, sliding_window_pattern=2, query_pre_attn_scalar=10, rope_theta=200000.0, rope_local_base_freq=500.0, rope_scaling=dict(rope_type="linear", factor=8.0))),
    "gpt_neo": ("gpt_neo", dict(neo, num_layers=3, window_size=6, attention_types=[[["global"], 1], [["local", "global"], 1]])),
    "gpt_neox": ("gpt_neox", dict(base, rotary_pct=0.5, rotary_emb_base=1000)),
    "gpt_neox_serial": ("gpt_neox", dict(base, use_parallel_residual=False, attention_bias=False, tie_word_embeddings=True, hidden_act="gelu_fast")),
    "gpt_oss": ("gpt_oss", dict(llama, head_dim=12, num_local_experts=4, num_experts_per_tok=2, sliding_window=6)),
    "gptj": ("gptj", dict(gpt, rotary_dim=4)),
    "granite": ("granite", dict(llama, attention_bias=True, attention_multiplier=0.3, embedding_multiplier=3.0, residual_multiplier=0.5, logits_scaling=2.0)),
    "llama_biases": ("llama", dict(llama, num_key_value_heads=1, head_dim=10, attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    "llama_dynamic": ("llama", dict(llama, max_position_embeddings=24, rope_scaling=dict(type="dynamic", factor=2.0), tokens=32)),
    "llama_linear": ("llama", dict(llama, rope_theta=500.0, rope_scaling=dict(type="linear", factor=4.0))),
    "llama_yarn": ("llama", dict(llama, max_position_embeddings=32, rope_parameters=dict(original, rope_type="yarn", rope_theta=500.0, factor=2.0, beta_fast=4.0), tokens=32)),
    "mistral": ("mistral", dict(llama, head_dim=12, sliding_window=6)),
    "mpt": ("mpt", dict(vocab_size=96, d_model=24, n_heads=6, n_layers=2, max_seq_len=64, attn_config=dict(clip_qkv=1.5))),
    "olmo2": ("olmo2", dict(llama, **ends)),
    "opt": ("opt", dict(opt, word_embed_proj_dim=32)),
    "opt_350m": ("opt", dict(opt, word_embed_proj_dim=20, do_layer_norm_before=False, activation_function="gelu")),
    "phi": ("phi", dict(base, partial_rotary_factor=0.5)),
    "phi_normed": ("phi", dict(base, num_key_value_heads=2, partial_rotary_factor=0.25, qk_layernorm=True, tie_word_embeddings=True)),
    "phi3": ("phi3", dict(llama, **ends, sliding_window=7)),
    "phi3_longrope": ("phi3", dict(llama, **ends, **original, rope_scaling=dict(type="longrope", short_factor=[1.0, 1.1, 1.3, 1.5], long_factor=[1.0, 2.0, 3.5, 6.0]), tokens=24)),
    "qwen2": ("qwen2", dict(llama, tie_word_embeddings=True)),
    "qwen2_sliding": ("qwen2", dict(llama, num_hidden_layers=3, use_sliding_window=True, sliding_window=6, max_window_layers=1)),
    "qwen3": ("qwen3", dict(llama, head_dim=12)),
    "smollm3": ("smollm3", dict(llama, num_hidden_layers=3, no_rope_layer_interval=2, use_sliding_window=True, sliding_window=6, **ends)),
    "stablelm": ("stablelm", dict(llama, partial_rotary_factor=0.25)),
    "stablelm_parallel": ("stablelm", dict(llama, partial_rotary_factor=0.5, use_parallel_residual=True, qk_layernorm=True, use_qkv_bias=True)),
    "starcoder2": ("starcoder2", dict(llama, sliding_window=6)),
}  # fmt: skip

# Spelled as above, the way of older library versions, in config.json too.
OLDER = {"gemma3_text", "gpt_neox", "llama_dynamic", "llama_linear", "phi3_longrope"}


def make(name: str) -> None:
    model_type, values = MODELS[name]
    values = dict(values)
    tokens = values.pop("tokens", TOKENS)
    older = dict(copy.deepcopy(values), model_type=model_type)
    torch.manual_seed(sum(map(ord, name)))
    config = AutoConfig.for_model(model_type, **values)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    half = torch.bfloat16 if len(name) % 2 else torch.float16
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                parameter.normal_(0, 0.35)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.1)
            parameter.copy_(parameter.to(half).float())  # so that the file holds what the reference was made with
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).to(half).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name in OLDER:
        (folder / "config.json").write_text(json.dumps(older, indent=2) + "\n")

    if values.get("alibi"):
        count_alibi_once(model)
    ids = torch.randint(3, config.vocab_size, (1, tokens))
    with torch.no_grad():
        out = model(input_ids=ids, output_attentions=True, use_cache=False)
    reference = {"input_ids": ids.to(torch.int32), "logits": out.logits}
    reference |= {f"attentions.{i}": attention for i, attention in enumerate(out.attentions)}
    save_file(
        {key: value.contiguous() for key, value in reference.items()},
        folder / "reference.safetensors",
        metadata={"transformers": transformers.__version__, "torch": torch.__version__},
    )


def count_alibi_once(model) -> None:
    """Falcon's eager attention adds ALiBi to the scores and finds it in the mask again; sdpa and the paper add it once."""
    config = copy.deepcopy(model.config)
    once = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa", dtype=torch.float32).eval()
    once.load_state_dict(model.state_dict())
    for block in model.transformer.h:
        attend = block.self_attention.forward
        block.self_attention.forward = lambda hidden, alibi, attend=attend, **rest: attend(
            hidden, alibi=torch.zeros_like(alibi), **rest
        )
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, once(ids).logits, atol=1e-4, rtol=1e-4)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in sys.argv[1:] or MODELS:
        make(name)
        print(name, sum(file.stat().st_size for file in (OUT / name).iterdir()) // 1024, "KiB")
