"""What stands beside the layers of a language model: a vision tower, layers that predict ahead."""

from __future__ import annotations

from dataclasses import replace

from provision.host.facts import ModelFound

from ..shape import Shape
from ..tensors import known, parameters
from .architectures import TIED_WORDS
from .found_config import text_keys
from .keys import MOST_EXPERTS, MOST_LAYERS, Keys

_TOWERS = ("vision_config", "vision_tower", "visual", "thinker_config.vision_config")
_LEAST = 0.005  # of all weights; less is a bias or a norm that the layout does not list


def settled(shape: Shape, found: ModelFound, tied: bool | None) -> Shape:
    """A shape with what only the number of all weights tells, as far as the files have it.

    tied: what the configuration says of the head; None: whichever comes closer to that number.
    """
    count = found.parameters if found.parameters is not None and found.parameters > 0 else None
    if tied is None:
        tied = _tied(shape, count)
    shape = replace(shape, tied=tied, other_parameters=0)
    if count is not None and known(shape.architecture):
        rest = count - parameters(shape)
        return replace(shape, other_parameters=rest if rest > count * _LEAST else 0)
    if found.format == "gguf":
        return shape
    return replace(shape, other_parameters=_tower(found) + _ahead(shape, found))


def _tied(shape: Shape, count: int | None) -> bool:
    if shape.architecture in TIED_WORDS:
        return True
    if count is None:
        return False
    both = {kind: parameters(replace(shape, tied=kind)) for kind in (False, True)}
    return abs(count - both[True]) < abs(count - both[False])


def _tower(found: ModelFound) -> int:
    """Weights of a vision tower: attention and feed-forward of each layer, patches, projector."""
    top = Keys.of(found)
    for part in _TOWERS:
        keys = top.below(f"{part}.")
        layers = keys.whole("num_hidden_layers", "depth", "num_layers", "layers", most=MOST_LAYERS)
        width = keys.whole("hidden_size", "embed_dim", "width")
        if layers is None or width is None:
            continue
        inner = keys.whole("intermediate_size") or int(
            min(keys.real("mlp_ratio") or 4.0, 64.0) * width
        )
        gated = 3 if (keys.text("hidden_act") or "") in ("silu", "swiglu") else 2
        patch = keys.whole("patch_size", most=256) or 14
        out = text_keys(found).whole("hidden_size") or width
        return layers * (4 * width * width + gated * width * inner) + width * (3 * patch**2 + out)
    return 0


def _ahead(shape: Shape, found: ModelFound) -> int:
    """Layers for multi-token prediction repeat one layer, both tables and a matrix that joins."""
    count = text_keys(found).whole("num_nextn_predict_layers", most=MOST_EXPERTS) or 0
    if not count or shape.experts is None:
        return 0
    one = replace(shape, layers=1, experts=replace(shape.experts, dense_layers=0, every=1))
    return count * (parameters(replace(one, tied=False, recurrent=None)) + 2 * shape.hidden**2)
