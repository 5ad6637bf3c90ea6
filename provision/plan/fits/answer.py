"""The question and the answer of `provision fit`: what is asked of a model, and its ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..ways.service import Optimize

EngineWord = Literal["ollama", "vllm", "llama-server", "sglang", "tabbyapi"]
KvWord = Literal["f16", "fp8", "q8_0", "q4_0"]


@dataclass(frozen=True, slots=True)
class FitWish:
    """What is asked of the model. context, parallel None: as the engine does by itself."""

    context: int | None = None
    parallel: int | None = None
    kv_cache: KvWord | None = None
    optimize: Optimize = "latency"


@dataclass(frozen=True, slots=True)
class FitWay:
    """One way of serving the model.

    need_mib, room_mib: of the fullest GPU; of RAM for a way without GPUs. copies: how many such
    groups the host's GPUs make. single, full: tokens a second, low and high; None where the cards
    are not known.
    """

    way: str
    gpus: tuple[int, ...]
    joint: str
    need_mib: int
    room_mib: int | None
    context: int
    copies: int
    single: tuple[float, float] | None = None
    batch: int = 0
    full: tuple[float, float] | None = None
    tight: bool = False  # only if the estimate's errors are not all against us
    ram_mib: int | None = None  # for layers in RAM


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer of `provision fit MODEL`, the best way first.

    problem: why GPUs alone do not serve it; ways then has at most the one with layers in RAM.
    """

    VERSION: ClassVar[int] = 1
    version: int
    host: str
    reference: str
    model: str
    quantisation: str
    engine: str
    weights_mib: int
    ways: tuple[FitWay, ...] = ()
    problem: str | None = None
    remedies: tuple[str, ...] = ()
    ram_mib: int | None = None  # what it would take on the CPU alone
    embeds: bool = False  # it gives vectors: its speeds are those of reading
    note: str | None = None  # what was assumed about the model
    family: str | None = None  # of the catalogue
