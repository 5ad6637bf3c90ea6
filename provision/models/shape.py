"""Shape: what a model is made of, as its config.json or GGUF header tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of experts in place of the feed-forward network of a layer."""

    count: int  # routed experts of a layer
    used: int  # of them for each token
    ffn: int  # width of one routed expert
    shared_ffn: int = 0  # width of all shared experts together; every token uses them
    dense_layers: int = 0  # the first layers have a plain feed-forward network instead
    every: int = 1  # one layer in so many has experts, the last of each such run (Llama 4: 2)


@dataclass(frozen=True, slots=True)
class Latent:
    """Multi-head latent attention (DeepSeek V2, V3, R1, Kimi): one small vector a token."""

    kv_rank: int  # kv_lora_rank: 512
    rope_dim: int  # qk_rope_head_dim: 64
    nope_dim: int  # qk_nope_head_dim: 128
    value_dim: int  # v_head_dim: 128
    query_rank: int | None = None  # q_lora_rank; None: queries are not compressed


@dataclass(frozen=True, slots=True)
class Window:
    """Layers whose attention sees the last tokens only (Gemma, gpt-oss, Mistral v0.1)."""

    tokens: int  # that it sees
    layers: int  # how many of the layers are so; the others see everything


@dataclass(frozen=True, slots=True)
class Recurrent:
    """Layers with a state of constant size in place of attention (Mamba, gated delta net)."""

    layers: int  # how many of the layers
    state_bytes: int  # of one such layer for one sequence, as engines keep it
    parameters: int = 0  # weights of the mixer of one such layer


@dataclass(frozen=True, slots=True)
class Shape:
    """A transformer. Widths in elements, layers and heads in numbers.

    architecture: GGUF's word where there is one (llama, qwen2, qwen3moe, gemma3, deepseek2,
    gpt-oss, bert, ...); it decides which tensors a layer has and how llama.cpp quantises them.
    """

    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int  # of keys and queries
    ffn: int  # of dense layers; 0 where every layer has experts
    vocab: int
    tied: bool = False  # the output head is the input table
    value_dim: int | None = None  # of values, where not head_dim
    experts: Experts | None = None
    latent: Latent | None = None
    window: Window | None = None
    recurrent: Recurrent | None = None
    context: int | None = None  # tokens that it was trained for
    other_parameters: int = 0  # in no layer above: a vision tower, multi-token prediction
    attention_bias: bool | None = None  # of queries, keys, values; None: as its kind usually has
    qk_norm: bool | None = None  # norms of queries and keys; None: as its kind usually has
