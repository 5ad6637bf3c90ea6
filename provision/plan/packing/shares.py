"""Measures of a bin: what items take of it, rounded so that a sum shows what cannot fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from .problem import Item

FULL = 1 << 20  # a whole bin by every measure

# Size and capacity of the bin -> part of FULL. Of items that fit into one bin the sum is FULL at
# most: such functions are called dual feasible (Fekete and Schepers, 2001).
Measure = Callable[[int, int], int]

_MOST_STEEP = 3


def plain(size: int, whole: int) -> int:
    """The part of the bin."""
    return size * FULL // whole


def rounded(parts: int, size: int, whole: int) -> int:
    """In halves, thirds and so on: with parts 1, more than half counts as all, less as nothing."""
    times, rest = divmod(size * (parts + 1), whole)
    return plain(size, whole) if rest == 0 else times * FULL // parts


def steep(least: int, of: int, size: int, whole: int) -> int:
    """What leaves less than least/of of the bin counts as all of it, what is smaller as nothing."""
    if size * of < least * whole:
        return 0
    return FULL if (whole - size) * of < least * whole else plain(size, whole)


def measures_of(items: Sequence[tuple[Item, int]], capacity: Sequence[int]) -> tuple[Measure, ...]:
    """The plain one, four of rounding, and the steep ones by which these items take most.

    items: with the number of each.
    """
    fixed: list[Measure] = [plain, *(partial(rounded, parts) for parts in range(1, 5))]
    bounds: dict[tuple[int, int], None] = {}
    for item, _ in items:
        for option in () if item.alone else item.options:
            for b, size in zip(option.bins, option.sizes, strict=True):
                if 0 < size * 2 <= capacity[b]:
                    bounds[size, capacity[b]] = None
    if not bounds:
        return tuple(fixed)
    lightest = [_lightest(item, capacity) for item, _ in items]
    weighed = []
    for least, of in bounds:
        measure = partial(steep, least, of)
        total = sum(
            number * min((sum(measure(*one) for one in form) for form in forms), default=0)
            for (_, number), forms in zip(items, lightest, strict=True)
        )
        weighed.append((-total, least / of, measure))
    weighed.sort(key=lambda one: one[:2])
    return (*fixed, *(measure for _, _, measure in weighed[:_MOST_STEEP]))


def _lightest(item: Item, capacity: Sequence[int]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The options as sizes with capacities, each of them once."""
    forms: dict[tuple[tuple[int, int], ...], None] = {}
    for option in item.options:
        wholes = [capacity[b] for b in option.bins]
        sizes = wholes if item.alone else option.sizes
        form = tuple(
            (size, whole) for size, whole in zip(sizes, wholes, strict=True) if 0 < size <= whole
        )
        if item.alone or all(a <= b for a, b in zip(sizes, wholes, strict=True)):
            forms[form] = None
    return tuple(forms)
