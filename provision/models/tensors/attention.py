"""Tensors of the attention of one layer: grouped-query, latent, or a recurrent mixer."""

from __future__ import annotations

from collections.abc import Iterator

from ..shape import Latent, Shape
from .layout import Layout, Norms
from .tensor import Tensor


def attention(shape: Shape, layout: Layout, layer: int) -> Iterator[Tensor]:
    """Those of one layer, norms of the hidden width left out."""
    if not _attends(shape, layer):
        yield from _mixer(shape, layer)
    elif shape.latent is not None:
        yield from _latent(shape, shape.latent, layer)
    else:
        yield from _grouped(shape, layout, layer)


def _attends(shape: Shape, layer: int) -> bool:
    """Hybrid models spread their attention evenly; the last layer of each run has it."""
    if shape.recurrent is None:
        return True
    attending = shape.layers - shape.recurrent.layers
    before, after = layer * attending // shape.layers, (layer + 1) * attending // shape.layers
    return after > before


def _mixer(shape: Shape, layer: int) -> Iterator[Tensor]:
    """The inner widths of state-space layers are not in a Shape: one tensor stands for all."""
    assert shape.recurrent is not None
    rows = shape.recurrent.parameters // shape.hidden
    if rows:
        yield Tensor("ssm_mixer", rows, shape.hidden, layer)


def _latent(shape: Shape, latent: Latent, layer: int) -> Iterator[Tensor]:
    """Since April 2025 files hold attn_kv_b as two tensors, attn_k_b (turned) and attn_v_b."""
    hidden, heads, rank = shape.hidden, shape.heads, latent.kv_rank
    query = heads * (latent.nope_dim + latent.rope_dim)
    if latent.query_rank is None:
        yield Tensor("attn_q", query, hidden, layer)
    else:
        yield Tensor("attn_q_a", latent.query_rank, hidden, layer)
        yield Tensor("attn_q_a_norm", 1, latent.query_rank, layer)
        yield Tensor("attn_q_b", query, latent.query_rank, layer)
    yield Tensor("attn_kv_a_mqa", rank + latent.rope_dim, hidden, layer)
    yield Tensor("attn_kv_a_norm", 1, rank, layer)
    yield Tensor("attn_k_b", heads * rank, latent.nope_dim, layer)
    yield Tensor("attn_v_b", heads * latent.value_dim, rank, layer)
    yield Tensor("attn_output", hidden, heads * latent.value_dim, layer)


def _grouped(shape: Shape, layout: Layout, layer: int) -> Iterator[Tensor]:
    value_dim = shape.value_dim or shape.head_dim
    rows = {
        "attn_q": shape.heads * shape.head_dim * (2 if layout.query_gate else 1),
        "attn_k": shape.kv_heads * shape.head_dim,
        "attn_v": shape.kv_heads * value_dim,
    }
    if layout.fused_qkv:
        rows = {"attn_qkv": sum(rows.values())}
    biased = layout.qkv_bias if shape.attention_bias is None else shape.attention_bias
    for name, width in rows.items():
        yield Tensor(name, width, shape.hidden, layer)
        if biased:
            yield Tensor(f"{name}.bias", 1, width, layer)
    yield Tensor("attn_output", shape.hidden, shape.heads * value_dim, layer)
    if layout.output_bias:
        yield Tensor("attn_output.bias", 1, shape.hidden, layer)
    yield from _query_key_norms(shape, layout, layer)
    if layout.sinks:
        yield Tensor("attn_sinks", 1, shape.heads, layer)


def _query_key_norms(shape: Shape, layout: Layout, layer: int) -> Iterator[Tensor]:
    """Shape.qk_norm says it where one architecture has models with and without."""
    kind: Norms = layout.qk_norm
    if shape.qk_norm is not None:
        kind = _norms_of_one_model(shape.architecture, layout) if shape.qk_norm else "none"
    for name, heads in (("attn_q_norm", shape.heads), ("attn_k_norm", shape.kv_heads)):
        if kind == "head":
            yield Tensor(name, 1, shape.head_dim, layer)
        elif kind == "heads":
            yield Tensor(name, heads, shape.head_dim, layer)
        elif kind == "full":
            yield Tensor(name, 1, heads * shape.head_dim, layer)


def _norms_of_one_model(architecture: str, layout: Layout) -> Norms:
    """Command R+ and StableLM 2 12B have a norm for each head, GLM-4.5 one for all heads."""
    if layout.qk_norm != "none":
        return layout.qk_norm
    return "heads" if architecture in ("command-r", "stablelm") else "head"
