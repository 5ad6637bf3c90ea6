"""Which engine that is installed would serve a model whose own engine is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from provision.models.catalogue import CatalogueModel, find
from provision.models.identity.identify import identify
from provision.models.model import UnknownModelError

if TYPE_CHECKING:
    from provision.host.facts import Facts

_PRIVATE = ("/root/", "/home/")  # a service may not enter them


def other_engines(model: str, engine: str, facts: Facts) -> str | None:
    """`vllm is here: --model Qwen/Qwen2.5-7B-Instruct`; None where no other engine is here, or
    none of them has this model."""
    here = {one.engine for one in facts.stable.engines if not one.path.startswith(_PRIVATE)}
    try:
        known = find(identify(model, engine).name)
    except UnknownModelError:
        return None
    if known is None:
        return None
    return ", or ".join(_served(known, sorted(here - {engine}), model)) or None


def _served(known: CatalogueModel, engines: list[str], model: str) -> Iterator[str]:
    for engine in engines:
        if engine == "ollama" and known.ollama:
            sized = (tag for tag in known.ollama if ":" in tag)
            yield f"ollama is here: --model {next(sized, next(iter(known.ollama)))}"
        elif engine == "vllm" and known.hub:
            yield f"vllm is here: --model {known.hub[0]}"
        elif engine == "llama-server":
            yield "llama-server is here: --model with the path of a .gguf file of it"
        elif engine == "ollama" and model.endswith(".gguf"):
            yield "ollama is here, for models that it pulls itself"
