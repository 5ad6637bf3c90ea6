"""Ground: the cards that an instance would run on, and what joins them."""

from __future__ import annotations

from dataclasses import dataclass

from .cards import Card
from .links import Joint


@dataclass(frozen=True, slots=True)
class Ground:
    """Where an instance would run: its cards in rank order and what joins them.

    inner: the worst joint within a tensor group; outer: between stages of the pipeline. share: of
    each card's bandwidth and arithmetic (MIG slices, several instances on a card). ram_gbs: what
    the host's memory is rated at, for layers that stay in RAM. No cards: all on the CPU.
    """

    cards: tuple[Card | None, ...]
    inner: Joint
    outer: Joint
    share: float = 1.0
    ram_gbs: float = 40.0
