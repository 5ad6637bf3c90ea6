"""What a kind of card can do: memory bandwidth and arithmetic, by product name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from provision.host.facts import Gpu

from .cards_amd import AMD
from .cards_geforce import GEFORCE
from .cards_nvidia import NVIDIA
from .entry import Entry, name_words


@dataclass(frozen=True, slots=True)
class Card:
    """From the makers' data sheets. None: not in the table."""

    name: str
    bandwidth_gbs: float  # of its memory, 10^9 bytes a second
    tflops: float  # dense, 16 bit, tensor cores, fp32 accumulation as data sheets give it
    memory: Literal["gddr", "hbm", "lpddr"]
    fp8_tflops: float | None = None


_ENTRIES: dict[str, tuple[Entry, ...]] = {"nvidia": (*NVIDIA, *GEFORCE), "amd": AMD}


def card_of(gpu: Gpu) -> Card | None:
    """The card of a GPU by its product name; None for one that is not in the table.

    The entry with the most words in the name wins, so that a 4070 Ti SUPER is no 4070; memory
    decides where the name does not (3080 of 10 or 12 GB). A MIG slice is its whole card here.
    """
    if gpu.name is None:
        return None
    name = name_words(gpu.name)
    ranked = [
        (rank, entry)
        for entry in _ENTRIES.get(gpu.vendor, ())
        if (rank := entry.rank(name, gpu.memory_mib)) is not None
    ]
    if not ranked:
        return None
    best = max(ranked, key=lambda one: one[0])[1]
    return Card(gpu.name, best.bandwidth_gbs, best.tflops, best.kind, best.fp8_tflops)
