"""Tensors of the feed-forward part of one layer: dense, or a router with experts."""

from __future__ import annotations

from collections.abc import Iterator

from ..shape import Experts, Shape
from .layout import Layout
from .tensor import Tensor


def feedforward(shape: Shape, layout: Layout, layer: int) -> Iterator[Tensor]:
    """Those of one layer, norms of the hidden width left out."""
    experts = shape.experts
    if experts is not None and has_experts(experts, layer):
        yield from _routed(shape, experts, layout, layer)
    else:
        yield from _dense(shape, layout, layer)


def has_experts(experts: Experts, layer: int) -> bool:
    return layer >= experts.dense_layers and (layer + 1) % experts.every == 0


def _dense(shape: Shape, layout: Layout, layer: int) -> Iterator[Tensor]:
    if not shape.ffn:
        return
    hidden, width = shape.hidden, shape.ffn
    rows = {"ffn_gate": width, "ffn_up": width}
    if layout.ffn != "gated":
        rows = {"ffn_up": 2 * width if layout.ffn == "fused" else width}
    for name, count in rows.items():
        yield Tensor(name, count, hidden, layer)
        # Jina's BERT v2 has gate and up without bias (one matrix in the original).
        if layout.ffn_bias and layout.ffn == "plain":
            yield Tensor(f"{name}.bias", 1, count, layer)
    yield Tensor("ffn_down", hidden, width, layer)
    if layout.ffn_bias:
        yield Tensor("ffn_down.bias", 1, hidden, layer)


def _routed(shape: Shape, experts: Experts, layout: Layout, layer: int) -> Iterator[Tensor]:
    hidden, count, width = shape.hidden, experts.count, experts.ffn
    yield Tensor("ffn_gate_inp", count, hidden, layer)
    if layout.router_bias:
        yield Tensor("ffn_gate_inp.bias", 1, count, layer)
    if layout.balance_bias and _balances(shape.architecture, count):
        yield Tensor("exp_probs_b.bias", 1, count, layer)
    inner = ("ffn_gate_exps", "ffn_up_exps") if layout.expert_gate else ("ffn_up_exps",)
    for name in inner:
        yield Tensor(name, count * width, hidden, layer, count)
        if layout.expert_bias:
            yield Tensor(f"{name}.bias", count, width, layer, count)
    yield Tensor("ffn_down_exps", count * hidden, width, layer, count)
    if layout.expert_bias:
        yield Tensor("ffn_down_exps.bias", count, hidden, layer, count)
    if experts.shared_ffn:
        yield from _shared(shape, experts, layout, layer)


def _balances(architecture: str, count: int) -> bool:
    """DeepSeek V2 (64 or 160 experts) shares the word deepseek2 with V3, which has the bias."""
    return architecture != "deepseek2" or count >= 256


def _shared(shape: Shape, experts: Experts, layout: Layout, layer: int) -> Iterator[Tensor]:
    hidden, width = shape.hidden, experts.shared_ffn
    if layout.shared_gate:
        yield Tensor("ffn_gate_inp_shexp", 1, hidden, layer)
    yield Tensor("ffn_gate_shexp", width, hidden, layer)
    yield Tensor("ffn_up_shexp", width, hidden, layer)
    yield Tensor("ffn_down_shexp", hidden, width, layer)
