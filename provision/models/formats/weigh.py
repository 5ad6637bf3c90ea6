"""Bytes of a model in a quantisation, by the rules of the tool that makes such files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..shape import Shape
from ..tensors import tensors, used
from ..weights import Quantisation, Weights
from .gguf import weigh_gguf
from .mixnames import mix_named


class UnknownQuantisationError(Exception):
    """The rules of a quantisation are not known."""


def weigh(shape: Shape, quantisation: Quantisation, *, tower: bool = False) -> Weights:
    """Weights by the rules of the tool that makes such files. Raises UnknownQuantisationError.

    GGUF: total is the whole file, its header within `other`. tower: see weigh_gguf; the other
    formats hold the vision tower in any case.
    """
    if quantisation.format != "gguf":
        from .stored import weigh_stored

        return weigh_stored(shape, quantisation)
    mix = mix_named(quantisation.name)
    if mix is None:
        raise UnknownQuantisationError(
            f"GGUF quantisation {quantisation.name!r}: it is not known which type each tensor has"
        )
    return weigh_gguf(shape, quantisation, mix, tower=tower)


def weights_of_size(
    shape: Shape, quantisation: Quantisation, total: int, types: dict[str, int] | None = None
) -> Weights:
    """The same where the bytes of all tensors are known from the files: exact in total.

    types: bytes by type of the files, where known. How they lie in layers follows the rules where
    they are known, else the number of elements.
    """
    try:
        # A file with or without the vision tower: whichever comes nearer.
        reckoned = min(
            (weigh(shape, quantisation, tower=tower) for tower in (False, True)),
            key=lambda weights: abs(weights.total - total),
        )
    except UnknownQuantisationError:
        reckoned = _by_elements(shape, quantisation, total, types or {})
    return _scaled(reckoned, total)


def _by_elements(
    shape: Shape, quantisation: Quantisation, total: int, types: dict[str, int]
) -> Weights:
    """Matrices share what the vectors (F32 in GGUF files) leave, each by its elements."""
    listed = tuple(tensors(shape))
    vectors = sum(tensor.elements for tensor in listed if tensor.rows == 1)
    matrices = sum(tensor.elements for tensor in listed) - vectors + shape.other_parameters
    vector_bytes = min(types.get("F32", 4 * vectors), total // 2)
    of_vector = vector_bytes / vectors if vectors else 0.0
    of_matrix = (total - vector_bytes) / matrices
    layers = [0.0] * shape.layers
    outside = {"token_embd": 0.0, "output": 0.0}
    other, experts, read = of_matrix * shape.other_parameters, 0.0, 0.0
    for tensor in listed:
        size = tensor.elements * (of_vector if tensor.rows == 1 else of_matrix)
        read += size * float(used(tensor, shape))
        if tensor.layer is not None:
            layers[tensor.layer] += size
            experts += size if tensor.experts > 1 else 0.0
        elif tensor.name in outside:
            outside[tensor.name] += size
        else:
            other += size
    parts = _whole([*outside.values(), other, *layers], total)
    return Weights(
        quantisation=quantisation,
        total=total,
        embedding=parts[0],
        output=parts[1],
        layers=tuple(parts[3:]),
        experts=int(experts),
        read_per_token=int(read),
        other=parts[2],
    )


def _scaled(weights: Weights, total: int) -> Weights:
    """The same parts in proportion, with a sum of exactly `total`."""
    parts = [weights.embedding, weights.output, weights.other, *weights.layers]
    embedding, output, other, *layers = _whole(parts, total)
    return replace(
        weights,
        total=total,
        embedding=embedding,
        output=output,
        other=other,
        layers=tuple(layers),
        experts=min(weights.experts * total // weights.total, sum(layers)),
        read_per_token=weights.read_per_token * total // weights.total,
        error=0.0,
    )


def _whole(parts: Sequence[float], total: int) -> list[int]:
    """Whole numbers in the proportion of the parts that add up to total; the earlier take more."""
    whole: list[int] = []
    seen = taken = 0.0
    everything = sum(parts)
    for part in parts:
        seen += part
        upto = total if seen >= everything else round(total * seen / everything)
        whole.append(int(upto - taken))
        taken = upto
    whole[-1] += total - sum(whole)
    return whole
