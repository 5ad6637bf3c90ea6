"""Made problems of placement on machines with sockets and linked pairs, for `placing`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from provision.plan.packing.alike import alike_bins
from provision.plan.packing.problem import Item, Option, Problem

CARD_MIB = 49_140


@dataclass(frozen=True, slots=True)
class Machine:
    """socket: of each GPU. linked: neighbours (0 and 1, 2 and 3, ...) have a bridge."""

    name: str
    socket: tuple[int, ...]
    linked: bool

    def crossings(self, group: Sequence[int]) -> tuple[int, int]:
        """(sockets beyond the first, GPUs whose bridge leads out of the group); zeros for one."""
        torn = sum(gpu ^ 1 not in group for gpu in group) if self.linked and len(group) > 1 else 0
        return len(dict.fromkeys(self.socket[gpu] for gpu in group)) - 1, torn

    def option(self, group: Sequence[int], need: int, moved: bool = False) -> Option:
        cost = (int(moved), *self.crossings(group))
        return Option(tuple(group), (need,) * len(group), cost)


MACHINES = (
    Machine("4 GPUs, 2 bridges, 1 socket", (0,) * 4, True),
    Machine("8 GPUs, 2 sockets", (0,) * 4 + (1,) * 4, False),
    Machine("8 GPUs, 4 bridges, 2 sockets", (0,) * 4 + (1,) * 4, True),
)


def made(bins: int, items: int, anew: bool, dice: random.Random) -> Problem:
    """All but the last run somewhere already, so that moving one has a cost; nine tenths full.

    anew: nothing runs yet. A third has its GPUs to itself where there are enough, a quarter spans
    two.
    """
    half = max(1, bins // 2)
    machine = Machine("", tuple(gpu // half for gpu in range(bins)), True)
    free = [CARD_MIB] * bins
    part = CARD_MIB * bins * 9 // 10 // items
    found: list[Item] = []
    for at in range(items):
        alone = items <= bins and dice.random() < 0.3
        width = 2 if bins > 1 and items <= bins * 2 and dice.random() < 0.25 else 1
        size = min(CARD_MIB, max(500, int(part * dice.uniform(0.5, 1.3)) // width))
        groups = list(combinations(range(bins), width))
        fitting = [one for one in groups if all(free[gpu] >= size for gpu in one)]
        place = dice.choice(fitting) if fitting and at < items - 1 else None
        for gpu in place or ():
            free[gpu] = 0 if alone else free[gpu] - size
        kept = None if anew else place
        options = tuple(machine.option(one, size, kept not in (None, one)) for one in groups)
        found.append(Item(f"i{at}", options, alone, load=dict.fromkeys(range(bins), size)))
    problem = Problem((CARD_MIB,) * bins, tuple(found), machine.socket)
    return replace(problem, alike=alike_bins(problem))
