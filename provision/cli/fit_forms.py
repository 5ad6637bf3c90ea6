"""The forms that one model may be stored in for an engine: its own, and the usual ones."""

from __future__ import annotations

from provision.engines.ability import ABILITIES
from provision.host.errors import ProvisionError, fail
from provision.models.model import Model

from .model_asked import USUAL, in_quantisation, quantisation_named


def forms_of(model: Model, engine: str) -> list[Model]:
    """By size. ProvisionError `unknown-quantisation` where nothing is known of any."""
    formats = ABILITIES[engine].formats
    own = model.weights.quantisation
    usual = USUAL[own.format if own.format in formats else max(formats)]
    found = [model] if own.format in formats else []
    for word in usual:
        try:
            quantisation = quantisation_named(word, model, engine)
            if quantisation != own:
                found.append(in_quantisation(model, quantisation))
        except ProvisionError:
            continue  # this one cannot be reckoned for this shape; the others can
    if not found:
        raise fail("unknown-quantisation", f"{model.name}: its shape is not known")
    return sorted(found, key=lambda one: one.weights.total)
