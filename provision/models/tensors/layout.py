"""Layout: which tensors a layer of an architecture has. Widths come from the Shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Norms = Literal["none", "head", "heads", "full"]
Ffn = Literal["gated", "fused", "plain"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What sets an architecture apart from Llama, the default of every field.

    norms: of the hidden width, in every layer. qk_norm: head: one vector of the head's width for
    all heads; heads: one for each head; full: over the whole projection. ffn: gated: gate, up,
    down; fused: gate and up in one tensor; plain: up and down only.
    """

    norms: tuple[str, ...] = ("attn_norm", "ffn_norm")
    norm_bias: bool = False
    fused_qkv: bool = False
    qkv_bias: bool = False
    output_bias: bool = False  # of the attention's output
    query_gate: bool = False  # the query projection gives a gate of the same width as well
    qk_norm: Norms = "none"
    sinks: bool = False
    ffn: Ffn = "gated"
    ffn_bias: bool = False
    expert_gate: bool = True  # routed experts have gate, up and down; else up and down
    expert_bias: bool = False
    router_bias: bool = False
    balance_bias: bool = False  # exp_probs_b: the routers' load balance without an extra loss
    shared_gate: bool = False
    table_norm: bool = False
    types: int = 0  # rows of the table of token types (BERT)
    positions: bool = False  # a learned table of positions
    final_norm: bool = True
    head: bool = True  # False: an encoder, gives vectors
    head_bias: bool = False
    keeps_rest: bool = False  # Shape.other_parameters lie in the model's own GGUF file


_LLAMA = Layout()
_QWEN2 = Layout(qkv_bias=True)
_QWEN3 = Layout(qk_norm="head")
_QWEN3_NEXT = Layout(
    norms=("attn_norm", "post_attention_norm"), qk_norm="head", query_gate=True, shared_gate=True
)
_GEMMA2 = Layout(norms=("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"))
_GEMMA3 = replace(_GEMMA2, qk_norm="head")
_POST_NORMS = ("post_attention_norm", "post_ffw_norm")
_PARALLEL = Layout(norms=("attn_norm",))
_ALL_BIASES = Layout(norm_bias=True, qkv_bias=True, output_bias=True, ffn="plain", ffn_bias=True)
_GPT2 = replace(_ALL_BIASES, fused_qkv=True)
_ENCODER = Layout(
    norms=("attn_output_norm", "layer_output_norm"),
    norm_bias=True,
    table_norm=True,
    final_norm=False,
    head=False,
)
_BERT = replace(
    _ENCODER,
    qkv_bias=True,
    output_bias=True,
    ffn="plain",
    ffn_bias=True,
    types=2,
    positions=True,
)

LAYOUTS: dict[str, Layout] = {
    "afmoe": replace(_GEMMA3, query_gate=True, balance_bias=True),
    "apertus": Layout(qk_norm="head", ffn="plain"),
    "arcee": Layout(ffn="plain"),
    "baichuan": _LLAMA,
    "bailingmoe": _LLAMA,
    "bailingmoe2": Layout(qk_norm="head", fused_qkv=True, balance_bias=True),
    "bert": _BERT,
    "bloom": replace(_GPT2, table_norm=True),
    "chameleon": Layout(qk_norm="heads"),
    "chatglm": Layout(fused_qkv=True, qkv_bias=True, ffn="fused"),
    "codeshell": _GPT2,
    "cohere2": _PARALLEL,
    "command-r": _PARALLEL,
    "dbrx": Layout(norms=("attn_norm", "attn_output_norm"), fused_qkv=True),
    "deepseek": _LLAMA,
    "deepseek2": Layout(balance_bias=True),
    "dots1": Layout(qk_norm="head", balance_bias=True),
    "dream": _QWEN2,
    "ernie4_5": _LLAMA,
    "ernie4_5-moe": Layout(balance_bias=True),
    "eurobert": replace(_LLAMA, head=False),
    "exaone": _LLAMA,
    "exaone4": Layout(norms=_POST_NORMS, qk_norm="head"),
    "falcon": Layout(norms=("attn_norm",), norm_bias=True, fused_qkv=True, ffn="plain"),
    "gemma": _LLAMA,
    "gemma2": _GEMMA2,
    "gemma3": _GEMMA3,
    "gemma-embedding": replace(_GEMMA3, head=False, keeps_rest=True),
    "glm4": Layout(norms=_GEMMA2.norms, qkv_bias=True, ffn="fused"),
    "glm4moe": Layout(
        norms=("attn_norm", "post_attention_norm"),
        qkv_bias=True,
        balance_bias=True,
        keeps_rest=True,
    ),
    "gpt-oss": Layout(
        norms=("attn_norm", "post_attention_norm"),
        qkv_bias=True,
        output_bias=True,
        sinks=True,
        expert_bias=True,
        router_bias=True,
    ),
    "gpt2": replace(_GPT2, positions=True),
    "gptneox": _GPT2,
    "granite": _LLAMA,
    "granitehybrid": _LLAMA,
    "granitemoe": _LLAMA,
    "hunyuan-dense": _QWEN3,
    "hunyuan-moe": _QWEN3,
    "internlm2": _LLAMA,
    "jina-bert-v2": replace(_ENCODER, qkv_bias=True, output_bias=True, ffn_bias=True, types=2),
    "jina-bert-v3": replace(
        _ENCODER,
        fused_qkv=True,
        qkv_bias=True,
        output_bias=True,
        ffn="plain",
        ffn_bias=True,
        types=1,
    ),
    "llada": _LLAMA,
    "llama": _LLAMA,
    "llama-embed": replace(_LLAMA, head=False),
    "llama4": _LLAMA,
    "minicpm": _LLAMA,
    "minicpm3": _LLAMA,
    "minimax-m2": Layout(qk_norm="full", balance_bias=True),
    "mistral3": _LLAMA,
    "mistral4": _LLAMA,
    "modern-bert": replace(
        _ENCODER,
        norms=("attn_norm", "ffn_norm"),
        norm_bias=False,
        fused_qkv=True,
        ffn="fused",
        final_norm=True,
    ),
    "nemotron": Layout(norm_bias=True, ffn="plain"),
    "nomic-bert": replace(_ENCODER, fused_qkv=True, types=2),
    "nomic-bert-moe": replace(
        _ENCODER,
        fused_qkv=True,
        qkv_bias=True,
        output_bias=True,
        ffn="plain",
        ffn_bias=True,
        expert_gate=False,
        types=1,
    ),
    "olmo": Layout(norms=(), final_norm=False),
    "olmo2": Layout(norms=_POST_NORMS, qk_norm="full"),
    "olmoe": Layout(qk_norm="full"),
    "orion": Layout(norm_bias=True),
    "pangu-embedded": Layout(qkv_bias=True, output_bias=True),
    # Files made of the first release have q, k, v in one tensor; later ones have them apart, 3 %
    # smaller as Q4_K_M.
    "phi2": replace(_GPT2, norms=("attn_norm",), head_bias=True),
    "phi3": Layout(fused_qkv=True, ffn="fused"),
    "phimoe": Layout(norm_bias=True, qkv_bias=True, output_bias=True, head_bias=True),
    "plamo": _PARALLEL,
    "qwen": Layout(fused_qkv=True, qkv_bias=True),
    "qwen2": _QWEN2,
    "qwen2moe": Layout(qkv_bias=True, shared_gate=True),
    "qwen2vl": _QWEN2,
    "qwen3": _QWEN3,
    "qwen35": _QWEN3_NEXT,
    "qwen35moe": _QWEN3_NEXT,
    "qwen3moe": _QWEN3,
    "qwen3next": _QWEN3_NEXT,
    "qwen3vl": _QWEN3,
    "qwen3vlmoe": _QWEN3,
    "seed_oss": Layout(norms=("attn_norm", "post_attention_norm"), qkv_bias=True),
    "smallthinker": _LLAMA,
    "smollm3": _LLAMA,
    "stablelm": Layout(norm_bias=True),
    "starcoder": replace(_GPT2, positions=True),
    "starcoder2": _ALL_BIASES,
    "xverse": _LLAMA,
}


def known(architecture: str) -> bool:
    """Whether the layers of an architecture are listed here and not taken for Llama's."""
    return architecture in LAYOUTS


def layout_of(architecture: str) -> Layout:
    """An unknown architecture gets Llama's layout: most new ones differ from it by norms only."""
    return LAYOUTS.get(architecture, _LLAMA)
