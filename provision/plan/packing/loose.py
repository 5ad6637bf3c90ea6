"""The loose problem: every item could stand anywhere at the cost of its best place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .alike import alike_bins
from .problem import Cost, Item, Option, Problem
from .state import Pick
from .table import Table

_Width = tuple[tuple[int, int], ...]  # size and capacity of the bins, sorted


def loosened(problem: Problem) -> Problem:
    """Each option costs as much as the cheapest that takes as much of as many equal bins.

    No choice costs more here than in the problem itself, so the least cost here is a bound there,
    and where nothing fits here nothing does there. No place is dearer than another, so that more
    bins are alike and the search is short.
    """
    known: dict[tuple[int, bool], tuple[Option, ...]] = {}
    items = []
    for item in problem.items:
        key = id(item.options), item.alone
        if key not in known:
            known[key] = _anywhere(item, problem.capacity)
        items.append(replace(item, options=known[key], load={}))
    loose = Problem(problem.capacity, tuple(items))
    return replace(loose, alike=alike_bins(loose))


def _anywhere(item: Item, capacity: Sequence[int]) -> tuple[Option, ...]:
    widths: list[_Width] = []
    least: dict[_Width, Cost] = {}
    for option in item.options:
        taken = zip(option.bins, option.sizes, strict=True)
        width = tuple(sorted((size, capacity[b]) for b, size in taken))
        widths.append(width)
        if width not in least or option.cost < least[width]:
            least[width] = option.cost
    return tuple(
        replace(option, cost=least[width])
        for option, width in zip(item.options, widths, strict=True)
    )


def tightened(table: Table, loose: Table, picks: Sequence[Pick]) -> tuple[Pick, ...]:
    """Picks of the loose problem as picks of the problem: the same bins for each item, by the
    cheapest choice that takes no more of them."""
    kind_of = {member: at for at, kind in enumerate(table.kinds) for member in kind.members}
    found = []
    for item, (kind, choice) in enumerate(picks):
        taken = loose.kinds[kind].choices[choice]
        mine = table.kinds[kind_of[item]]
        at = next(
            at
            for at, one in enumerate(mine.choices)
            if one.bins == taken.bins
            and (mine.alone or all(a <= b for a, b in zip(one.sizes, taken.sizes, strict=True)))
        )
        found.append((kind_of[item], at))
    return tuple(found)
