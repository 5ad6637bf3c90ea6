"""Bytes of a model as a GGUF file, tensor by tensor."""

from __future__ import annotations

from ..shape import Shape
from ..tensors import known, layout_of, used
from ..weights import Quantisation, Weights
from .ggml import TYPES
from .header import header_bytes
from .mixes import typed
from .mixnames import Mix

EXACT = 0.005  # published files of listed architectures: the header is all that is reckoned
SMALL = 0.01  # encoders: whether their positions are F16 or F32 changed during 2024
ROUGH = 0.03  # layers taken for Llama's, or a recurrent mixer counted as one tensor


def weigh_gguf(
    shape: Shape, quantisation: Quantisation, mix: Mix, *, tower: bool = False
) -> Weights:
    """Weights whose total is the size of the file, header included (in `other`).

    tower: `shape.other_parameters` lie in the same file in F16, as Ollama packs vision models.
    llama.cpp has them in a file of their own (mmproj), which is not counted otherwise.
    """
    layers = [0] * shape.layers
    outside = {"token_embd": 0, "output": 0}
    other = header_bytes(shape) + _rest(shape, mix, tower)
    experts = read = 0
    for tensor, kind in typed(shape, mix):
        size = kind.size(tensor.rows, tensor.columns)
        read += int(size * used(tensor, shape))
        if tensor.layer is not None:
            layers[tensor.layer] += size
            experts += size if tensor.experts > 1 else 0
        elif tensor.name in outside:
            outside[tensor.name] += size
        else:
            other += size
    return Weights(
        quantisation=quantisation,
        total=sum(layers) + sum(outside.values()) + other,
        embedding=outside["token_embd"],
        output=outside["output"],
        layers=tuple(layers),
        experts=experts,
        read_per_token=read,
        other=other,
        error=max(mix.error, _error(shape)),
    )


def _rest(shape: Shape, mix: Mix, tower: bool) -> int:
    """Bytes of what is in no layer, where the model's own file holds it."""
    if layout_of(shape.architecture).keeps_rest:
        kind = TYPES[mix.default]
        return shape.other_parameters * kind.bytes // kind.elements
    return shape.other_parameters * 2 if tower else 0


def _error(shape: Shape) -> float:
    if not known(shape.architecture) or shape.recurrent is not None:
        return ROUGH
    layout = layout_of(shape.architecture)
    if layout.keeps_rest and shape.other_parameters:
        return ROUGH
    return EXACT if layout.head else SMALL
