"""Mending: a whole choice made better a few items at a time, while the rest stays."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from .state import Meter, Pick, State, place
from .table import Table

# Looks for something better after a state, within that many steps more: the path, or None.
Look = Callable[[State, int], "tuple[Pick, ...] | None"]

_FEWEST, _MOST = 4, 8  # items that are chosen anew at once
_STEPS = 1500  # for one look
_IDLE = 3  # rounds over all items without anything better


def mended(
    table: Table, start: State, picks: Sequence[Pick], meter: Meter, until: int, look: Look
) -> tuple[Pick, ...]:
    """The picks by item after the last improvement that was found before step `until`."""
    best = tuple(picks)
    dice = random.Random(1)  # of a fixed seed: the same problem takes the same way
    seeds = _dearest(table, best)
    turn = idle = 0
    while seeds and meter.steps < until and idle < _IDLE * len(seeds):
        size = _FEWEST + turn // len(seeds) % (_MOST - _FEWEST + 1)
        free = _around(table, best, seeds[turn % len(seeds)], size, dice)
        state: State | None = start
        fixed = [pick for at, pick in enumerate(best) if at not in free]
        for kind, choice in fixed:
            state = state and place(table, state, kind, table.kinds[kind].choices[choice], meter)
        found = state and look(state, min(_STEPS, until - meter.steps))
        turn, idle = turn + 1, idle + 1
        if found:
            best, idle = by_item(best, free, found), 0
            seeds = _dearest(table, best)
    return best


def by_item(picks: Sequence[Pick], free: Sequence[int], path: Sequence[Pick]) -> tuple[Pick, ...]:
    """The picks with those of the free items from a path."""
    waiting: dict[int, list[int]] = {}
    for kind, choice in sorted(path, reverse=True):
        waiting.setdefault(kind, []).append(choice)
    found = list(picks)
    for at in sorted(free):
        kind = picks[at][0]
        found[at] = (kind, waiting[kind].pop())
    return tuple(found)


def _dearest(table: Table, picks: Sequence[Pick]) -> list[int]:
    """The items by how much more than its cheapest choice they cost, most first."""

    def more(at: int) -> int:
        kind, choice = picks[at]
        return table.kinds[kind].costs[choice] - table.kinds[kind].costs[0]

    return sorted(range(len(picks)), key=lambda at: (-more(at), at))


def _around(
    table: Table, picks: Sequence[Pick], seed: int, size: int, dice: random.Random
) -> list[int]:
    """An item and others: those in the way of its cheapest choices first, in a drawn order."""
    kind = table.kinds[picks[seed][0]]
    wanted: dict[int, None] = {}
    for one in kind.choices[:4]:
        wanted.update(dict.fromkeys(one.bins))
    keyed = []
    for at, (other, choice) in enumerate(picks):
        if at != seed:
            near = any(b in wanted for b in table.kinds[other].choices[choice].bins)
            keyed.append((0 if near and dice.random() < 0.7 else 1, dice.random(), at))
    return [seed, *(at for _, _, at in sorted(keyed)[: size - 1])]
