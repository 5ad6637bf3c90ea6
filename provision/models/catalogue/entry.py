"""One line of the catalogue, written short."""

from __future__ import annotations

from ..shape import Shape
from . import CatalogueModel


def entry(
    family: str,
    name: str,
    parameters: int,
    shape: Shape,
    *,
    hub: str = "",
    tags: str = "",
    quant: str = "Q4_K_M",
    aliases: str = "",
    native: str = "BF16",
    embeds: bool = False,
) -> CatalogueModel:
    """A model whose lists are written as words with spaces between.

    hub: ids; each may leave out an owner that is the same as that of the id before. tags: of
    Ollama's library, all with the quantisation `quant`.
    """
    return CatalogueModel(
        name=name,
        family=family,
        shape=shape,
        parameters=parameters,
        ollama=dict.fromkeys(tags.split(), quant),
        hub=_ids(hub),
        aliases=tuple(aliases.split()),
        native=native,
        embeds=embeds,
    )


def _ids(words: str) -> tuple[str, ...]:
    ids: list[str] = []
    owner = ""
    for word in words.split():
        owner, _, name = word.rpartition("/") if "/" in word else (owner, "", word)
        ids.append(f"{owner}/{name}")
    return tuple(ids)
