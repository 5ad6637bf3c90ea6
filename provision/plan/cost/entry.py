"""Entry: a row of the tables of cards, and how a product name is matched with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MemoryKind = Literal["gddr", "hbm", "lpddr"]

# A card whose name goes on with one of these is another product than the one before the word.
_OTHER_PRODUCT = frozenset({"ti", "super", "xt", "xtx", "gre", "d", "s"})
# Wherever these stand in a name, the chip runs at a laptop's clocks.
_SLOW_FORM = frozenset({"laptop", "mobile", "q"})
_SAME_SIZE = 0.15  # memory within this of the nominal size is that size (ECC, reserved memory)


@dataclass(frozen=True, slots=True)
class Entry:
    """words: of the product name, in order, lower case: "h100 nvl". See Card for the figures.

    gib: nominal memory, given where names alone do not tell two cards apart.
    """

    words: str
    bandwidth_gbs: float
    tflops: float
    fp8_tflops: float | None = None
    gib: int | None = None
    kind: MemoryKind = "gddr"

    def rank(self, name: tuple[str, ...], memory_mib: int | None) -> tuple[float, ...] | None:
        """How well a name fits, the larger the better; None: it is another card.

        A name that fits two entries equally well (pci.ids lists several cards under one device)
        counts as the slower one.
        """
        own = self.words.split()
        end = _end_of(own, name)
        if end is None or (_SLOW_FORM & set(name)) - set(own):
            return None
        if end < len(name) and name[end] in _OTHER_PRODUCT:
            return None
        if self.gib is None or memory_mib is None:
            return (len(own), 0, -self.bandwidth_gbs, -self.tflops)
        if abs(memory_mib / 1024 - self.gib) > _SAME_SIZE * self.gib:
            return None
        return (len(own), 1, -self.bandwidth_gbs, -self.tflops)


def name_words(name: str) -> tuple[str, ...]:
    """NVIDIA A100-SXM4-80GB -> nvidia, a100, sxm4, 80gb."""
    return tuple(re.findall(r"[a-z0-9]+", name.lower()))


def _end_of(own: list[str], name: tuple[str, ...]) -> int | None:
    """Where the words end in the name when they stand in it in this order."""
    position = 0
    for word in own:
        if word not in name[position:]:
            return None
        position = name.index(word, position) + 1
    return position
