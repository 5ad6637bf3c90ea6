"""The tensors of an architecture: names, sizes, which layer they are in, what they are for."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from ..shape import Shape
from .attention import attention
from .feedforward import feedforward
from .layout import Layout, known, layout_of
from .tensor import Tensor

__all__ = ["Tensor", "active_parameters", "known", "layout_of", "parameters", "tensors", "used"]


def tensors(shape: Shape) -> Iterator[Tensor]:
    """Every tensor of a model of this shape: the input side, the layers, the output side.

    `shape.other_parameters` (a vision tower, multi-token prediction) are not among them, nor the
    few hundred bytes of precomputed rope factors. An architecture that is not listed in layout.py
    gets the layers of Llama.
    """
    layout = layout_of(shape.architecture)
    yield from _input(shape, layout)
    for layer in range(shape.layers):
        for name in _norms(shape, layout):
            yield from _norm(name, shape.hidden, layout, layer)
        yield from attention(shape, layout, layer)
        yield from feedforward(shape, layout, layer)
    yield from _output(shape, layout)


def parameters(shape: Shape) -> int:
    """All weights, the vision tower included."""
    return sum(tensor.elements for tensor in tensors(shape)) + shape.other_parameters


def active_parameters(shape: Shape) -> int:
    """Weights that one token uses: its row of the input table, its experts, the whole head."""
    return int(sum(tensor.elements * used(tensor, shape) for tensor in tensors(shape)))


def used(tensor: Tensor, shape: Shape) -> Fraction:
    """The part of a tensor that one token reads."""
    if tensor.name in ("token_types", "position_embd"):
        return Fraction(1, tensor.rows)
    if tensor.name == "token_embd":
        serves_as_head = shape.tied and layout_of(shape.architecture).head
        return Fraction(1) if serves_as_head else Fraction(1, tensor.rows)
    if shape.experts is not None and tensor.experts > 1:
        return Fraction(shape.experts.used, shape.experts.count)
    return Fraction(1)


def _input(shape: Shape, layout: Layout) -> Iterator[Tensor]:
    yield Tensor("token_embd", shape.vocab, shape.hidden)
    if layout.positions and shape.context:
        yield Tensor("position_embd", shape.context, shape.hidden)
    if layout.types:
        yield Tensor("token_types", layout.types, shape.hidden)
    if layout.table_norm:
        yield from _norm("token_embd_norm", shape.hidden, layout, None)


def _output(shape: Shape, layout: Layout) -> Iterator[Tensor]:
    if layout.final_norm:
        yield from _norm("output_norm", shape.hidden, layout, None)
    if layout.head and not shape.tied:
        yield Tensor("output", shape.vocab, shape.hidden)
    if layout.head_bias:
        yield Tensor("output.bias", 1, shape.vocab)


def _norms(shape: Shape, layout: Layout) -> tuple[str, ...]:
    """Falcon 40B and 180B share their word with 7B and have a second norm (grouped queries)."""
    if shape.architecture == "falcon" and shape.kv_heads > 1:
        return (*layout.norms, "attn_norm_2")
    return layout.norms


def _norm(name: str, width: int, layout: Layout, layer: int | None) -> Iterator[Tensor]:
    yield Tensor(name, 1, width, layer)
    if layout.norm_bias:
        yield Tensor(f"{name}.bias", 1, width, layer)
