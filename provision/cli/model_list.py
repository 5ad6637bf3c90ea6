"""The catalogue for people, and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from provision.host.errors import fail
from provision.models.catalogue import CatalogueModel, catalogue
from provision.models.tensors import active_parameters, parameters

from .screen import Table, count, put

_LONGEST_TAG, _SHORTEST_TAG = 40, 16


@dataclass(frozen=True, slots=True)
class ModelList:
    """The document of `models list --json`."""

    VERSION: ClassVar[int] = 1
    version: int
    models: tuple[CatalogueModel, ...]


def matching(words: Sequence[str]) -> ModelList:
    """The models with every word somewhere in their names. ProvisionError where none is so."""
    wanted = [word.casefold() for word in words]
    models = tuple(
        one for one in catalogue() if all(word in text for word in wanted for text in [_text(one)])
    )
    if not models:
        raise fail(
            "unknown-model",
            f"the catalogue has no model with {' and '.join(words)} in its names",
            "provision models list shows all of it",
        )
    return ModelList(ModelList.VERSION, models)


def show_models(found: ModelList) -> None:
    """A line a model. Long tags are cut where the lines would not be whole otherwise."""
    rows = [_row(one) for one in found.models]
    longest = _LONGEST_TAG
    table = _table(rows, longest)
    while not table.fits() and longest > _SHORTEST_TAG:
        longest -= 1
        table = _table(rows, longest)
    table.show()
    put()
    put(f"{count(len(found.models), 'model')}. What one needs: provision models show NAME")


def _table(rows: Sequence[tuple[str, ...]], longest: int) -> Table:
    head = ("model", "params", "active", "context", "native", "Ollama")
    table = Table(head, right=(1, 2, 3), spare=(4, 5))
    for *cells, tag in rows:
        table.row(*cells, tag if len(tag) <= longest else f"{tag[: longest - 3]}...")
    return table


def _row(one: CatalogueModel) -> tuple[str, ...]:
    active = active_parameters(one.shape) if one.shape.experts else None
    return (
        one.name,
        billions(one.parameters or parameters(one.shape)),
        billions(active) if active else "",
        tokens_text(one.shape.context),
        one.native,
        _tag(one),
    )


def billions(parameters: int) -> str:
    """`8.0 B`, `671 B`, `137 M`."""
    if parameters < 999_500_000:
        return f"{parameters / 1e6:.0f} M"
    value = parameters / 1e9
    return f"{value:.0f} B" if value >= 99.95 else f"{value:.1f} B"


def tokens_text(tokens: int | None) -> str:
    """`128K`, `10M`, `512`: thousands of 1024, as models are named for their context."""
    if tokens is None:
        return ""
    for size, letter in ((1 << 20, "M"), (1 << 10, "K")):
        if tokens >= size and tokens % size == 0:
            return f"{tokens // size}{letter}"
    return f"{tokens:,}"


def _text(one: CatalogueModel) -> str:
    return " ".join((one.name, one.family, *one.ollama, *one.hub, *one.aliases)).casefold()


def _tag(one: CatalogueModel) -> str:
    """The shortest tag: of several for the same model that is the one people type."""
    return min(one.ollama, key=lambda tag: (len(tag), tag), default="")
