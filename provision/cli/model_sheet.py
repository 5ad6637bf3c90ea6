"""What one model needs as one engine is told to serve it, and in other quantisations. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from provision.engines.ability import ABILITIES
from provision.host.errors import fail
from provision.models.formats.weigh import UnknownQuantisationError, weigh
from provision.models.memory.need import Load, Need, need
from provision.models.memory.split import Split
from provision.models.model import Model
from provision.models.shape import Shape
from provision.models.tensors import active_parameters, parameters
from provision.models.weights import Quantisation

from .model_asked import USUAL, Asked, in_quantisation, quantisation_named

_CONTEXT = 8192  # where neither the engine nor the model says one


@dataclass(frozen=True, slots=True)
class OtherSize:
    """The model in another quantisation, under the same load. Bytes."""

    quantisation: str
    weights: int
    weights_error: int
    fullest_gpu: int
    gpu_error: int


@dataclass(frozen=True, slots=True)
class ModelSheet:
    """The document of `models show --json`. Bytes everywhere; need.gpus in rank order."""

    VERSION: ClassVar[int] = 1
    version: int
    model: Model
    load: Load
    split: Split
    need: Need
    kv_bytes_per_token: int  # on one GPU that holds all layers
    parameters: int | None = None
    active_parameters: int | None = None  # of a mixture of experts
    others: tuple[OtherSize, ...] = ()


def sheet_of(
    asked: Asked, split: Split, context: int | None, parallel: int | None, kv_type: str
) -> ModelSheet:
    """The sheet. ProvisionError says what this engine or model does not allow."""
    model, ability = asked.model, ABILITIES[asked.engine]
    _check_kv_type(asked.engine, kv_type)
    _check_split(asked, split)
    _check_context(model, context)
    load = Load(
        asked.engine,
        context or _usual_context(model, ability.default_context),
        parallel or ability.default_parallel,
        kv_type,
    )
    shape = model.shape
    return ModelSheet(
        ModelSheet.VERSION,
        model,
        load,
        split,
        need([model], load, split),
        need([model], load, Split()).gpus[0].kv_bytes_per_token,
        parameters(shape) if shape else None,
        active_parameters(shape) if shape and shape.experts else None,
        tuple(sorted(_others(asked, load, split), key=lambda one: one.weights)) if shape else (),
    )


def _usual_context(model: Model, default: int | None) -> int:
    own = model.context or default or _CONTEXT
    return min(default, own) if default is not None else own


def _check_context(model: Model, context: int | None) -> None:
    if context is not None and model.context is not None and context > model.context:
        message = f"context {context:,}: {model.name} was made for {model.context:,} tokens"
        raise fail("context", message, f"--context {model.context} or less")


def _check_kv_type(engine: str, kv_type: str) -> None:
    known = ABILITIES[engine].kv_types
    if kv_type not in known:
        message = f"{engine} has no KV cache of type {kv_type}"
        raise fail("kv-cache", message, f"--kv-cache {', '.join(known)}")


def _check_split(asked: Asked, split: Split) -> None:
    """What a plan would refuse too."""
    ability, shape, name = ABILITIES[asked.engine], asked.model.shape, asked.model.name
    if split.tensor > 1 and not ability.tensor:
        message = f"{asked.engine} has no tensor parallel"
        raise fail("no-tensor-parallel", message, f"--pipeline-parallel {split.gpus}")
    if split.gpus > 1 and shape is None:
        raise fail("unknown-shape", f"{name}: without its layers and heads it cannot be split")
    if shape is None:
        return
    if split.tensor > 1 and shape.heads % split.tensor:
        message = f"{name} has {shape.heads} attention heads, which {split.tensor} does not divide"
        raise fail("heads", message, f"--tensor-parallel {_divisors(shape)}")
    if split.pipeline > shape.layers:
        message = f"{name} has {shape.layers} layers, too few for {split.pipeline} stages"
        raise fail("layers", message)


def _divisors(shape: Shape) -> str:
    return ", ".join(str(one) for one in (2, 4, 8, 16) if shape.heads % one == 0) or "1"


def _is_known(shape: Shape | None, quantisation: Quantisation) -> bool:
    if shape is None:
        return False
    try:
        weigh(shape, quantisation)
    except UnknownQuantisationError:
        return False
    return True


def _others(asked: Asked, load: Load, split: Split) -> Iterator[OtherSize]:
    """In the usual quantisations of the same kind of files; its own among them is exact."""
    model = asked.model
    own = model.weights.quantisation
    usual = [quantisation_named(word, model, asked.engine) for word in USUAL[own.format]]
    for quantisation in usual if own in usual else [own, *usual]:
        if quantisation.format != own.format:
            continue
        if quantisation != own and not _is_known(model.shape, quantisation):
            continue
        other = model if quantisation == own else in_quantisation(model, quantisation)
        wanted = need([other], load, split)
        most = max(wanted.gpus, key=lambda gpu: gpu.bytes)
        error = round(other.weights.total * other.weights.error)
        yield OtherSize(str(quantisation), other.weights.total, error, most.bytes, most.spread)
