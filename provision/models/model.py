"""Model: what is to be served, with its weights and shape, and where that is known from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .shape import Shape
from .weights import Weights

Source = Literal["files", "catalogue", "spec"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model in one quantisation. shape None: host.yaml gave the memory alone."""

    reference: str  # as the spec names it
    name: str  # as the catalogue or its files name it: Llama-3.1-8B-Instruct
    source: Source
    weights: Weights
    shape: Shape | None = None
    context: int | None = None  # tokens that it was trained for
    embeds: bool = False  # it gives vectors, not tokens
    kv_bytes: int | None = None  # for all requests together, where host.yaml gave it
    note: str | None = None  # what was assumed: "Ollama's default quantisation"


class UnknownModelError(Exception):
    """The size of a model is not known. `hint` says what would make it known."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
