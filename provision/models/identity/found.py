"""From what inspection read of a model's files to its shape and its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

from provision.host.facts import ModelFound

from ..formats.weigh import UnknownQuantisationError, weigh, weights_of_size
from ..shape import Shape
from ..tensors import parameters
from ..weights import Quantisation, Weights
from .beside import settled
from .found_config import config_embeds, config_shape, config_tied
from .found_gguf import gguf_embeds, gguf_quantisation, gguf_shape
from .found_stored import stored_quantisation
from .keys import Keys, UnclearError

_PICKLED_ERROR = 0.005  # files of PyTorch are a little longer than their tensors
_ABSURD = 1 << 50  # bytes of weights


@dataclass(frozen=True, slots=True)
class Described:
    """A model by its files. notes: what was assumed or is wrong with them."""

    shape: Shape
    weights: Weights
    embeds: bool
    notes: tuple[str, ...] = ()


def describe(
    found: ModelFound, listed: Shape | None = None, quantisation: Quantisation | None = None
) -> Described:
    """The shape by header or config.json, the weights to the byte where the files are complete.

    listed: the catalogue's shape of the same name, for files that do not tell their own.
    quantisation: what the name says, where the files do not. Raises UnclearError.
    """
    _refuse_adapter(found)
    notes = []
    try:
        shape = _shape(found)
    except UnclearError as error:
        if listed is None or found.problem is not None:
            raise UnclearError(_why(found, str(error))) from error
        notes.append(f"the shape is the catalogue's, since {error}")
        shape = listed
    stored = _quantisation(found) or quantisation
    total = found.weight_bytes
    if total is not None and 0 < total < _ABSURD:
        weights = _of_size(shape, stored, total, found)
    else:
        weights = _by_rules(shape, stored, found)
        notes.append("its weights are not (all) on the host: reckoned by the rules of their format")
    if found.problem is not None:
        notes.append(f"its files: {found.problem}")
    elif found.missing:
        notes.append(_absent(found))
    embeds = gguf_embeds(found) if found.format == "gguf" else _embeds(found)
    return Described(shape, weights, embeds, tuple(notes))


def _shape(found: ModelFound) -> Shape:
    if found.format == "gguf":
        return settled(gguf_shape(found), found, None)
    shape = config_shape(found)
    return settled(shape, found, config_tied(found))


def _embeds(found: ModelFound) -> bool:
    try:
        return config_embeds(found)
    except UnclearError:
        return False


def _refuse_adapter(found: ModelFound) -> None:
    """A LoRA has a few weights of its own and needs another model's besides."""
    keys = Keys.of(found)
    if found.format != "gguf" and keys.has("peft_type", "base_model_name_or_path"):
        base = keys.text("base_model_name_or_path")
        raise UnclearError(f"it is an adapter{f' of {base[:80]}' if base else ''}, not a model")


def _why(found: ModelFound, error: str) -> str:
    if found.problem is not None:
        return found.problem
    if found.missing:
        return f"{_absent(found)}, and {error}"
    return error


def _absent(found: ModelFound) -> str:
    count = len(found.missing)
    return f"{count} of its files {'is' if count == 1 else 'are'} missing"


def _quantisation(found: ModelFound) -> Quantisation | None:
    return gguf_quantisation(found) if found.format == "gguf" else stored_quantisation(found)


def _of_size(shape: Shape, stored: Quantisation | None, total: int, found: ModelFound) -> Weights:
    """Exactly so many bytes. Raises UnclearError for fewer than any format needs."""
    count = parameters(shape)
    if total * 8 < count:
        raise UnclearError(
            f"its {total:,} bytes are less than a bit for each of its {count:,} weights, so the "
            "header or config.json is that of another model"
        )
    if stored is None:
        stored = Quantisation("gguf" if found.format == "gguf" else "safetensors", "mixed")
    types = {name: size for name, size in found.weights.items() if size > 0}
    try:
        weights = weights_of_size(shape, stored, total, types or None)
    except UnknownQuantisationError as error:
        raise UnclearError(str(error)) from error
    return replace(weights, error=_PICKLED_ERROR) if found.format == "pytorch" else weights


def _by_rules(shape: Shape, stored: Quantisation | None, found: ModelFound) -> Weights:
    if stored is None:
        raise UnclearError(_why(found, "nothing says how its weights are stored"))
    try:
        return weigh(shape, stored)
    except UnknownQuantisationError as error:
        raise UnclearError(str(error)) from error
