"""The catalogue on one host: the best way of each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from provision.host.facts import Facts
from provision.models.catalogue import CatalogueModel, catalogue
from provision.models.formats.weigh import UnknownQuantisationError, weigh
from provision.models.identity.identify import identify
from provision.models.model import Model, UnknownModelError
from provision.models.weights import Quantisation

from .one_host import EngineWord, Fit, FitWish, fit_best
from .search import Machine

_GGUF = Quantisation("gguf", "Q4_K_M")
_EXL3 = Quantisation("exl3", "EXL3", bits=4.0)


@dataclass(frozen=True, slots=True)
class FitAll:
    """Models on one host, each with the way that a plan would take; by family, those that fit
    before those that do not."""

    VERSION: ClassVar[int] = 1
    version: int
    host: str
    fits: tuple[Fit, ...] = ()


def fit_all(
    facts: Facts,
    wish: FitWish | None = None,
    engine: EngineWord | None = None,
    words: Sequence[str] = (),
) -> FitAll:
    """Every model of the catalogue in whose names all of the words are.

    engine None: Ollama where its library has the model, else vLLM. Quantised as its tag, or its
    files at the Hub, are; Q4_K_M for llama-server, 4 bits for TabbyAPI.
    """
    machine, found = Machine(facts), []
    for entry in catalogue():
        if not _is_meant(entry, words):
            continue
        named = _named(entry, engine)
        if named is not None:
            model, serves = named
            found.append(
                replace(fit_best(model, serves, machine, wish or FitWish()), family=entry.family)
            )
    ordered = sorted(found, key=lambda one: one.problem is not None)
    return FitAll(FitAll.VERSION, machine.name, tuple(ordered))


def fit_stored(models: Sequence[Model], engine: EngineWord, facts: Facts, wish: FitWish) -> FitAll:
    """One model in several quantisations, in the order given."""
    machine = Machine(facts)
    found = (fit_best(model, engine, machine, wish) for model in models)
    return FitAll(FitAll.VERSION, machine.name, tuple(found))


def _is_meant(entry: CatalogueModel, words: Sequence[str]) -> bool:
    names = " ".join((entry.name, entry.family, *entry.ollama, *entry.hub, *entry.aliases)).lower()
    return all(word.lower() in names for word in words)


def _named(entry: CatalogueModel, engine: EngineWord | None) -> tuple[Model, EngineWord] | None:
    """The model in the form in which most people run it; None where the engine has none."""
    tag = next(iter(entry.ollama), None)
    serves: EngineWord = engine or ("ollama" if tag is not None else "vllm")
    try:
        if serves == "ollama":
            return (identify(tag, serves), serves) if tag is not None else None
        reference = entry.hub[0] if entry.hub else entry.name
        model = identify(reference, "vllm")
        if serves == "llama-server":
            return replace(model, weights=weigh(entry.shape, _GGUF), note=None), serves
        if serves == "tabbyapi":
            return replace(model, weights=weigh(entry.shape, _EXL3), note=None), serves
        return model, serves
    except (UnknownModelError, UnknownQuantisationError):
        return None
