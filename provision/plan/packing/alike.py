"""Which bins are alike: they can be swapped and nothing changes for any item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .problem import Item, Option, Problem
from .table import equal_items


@dataclass(frozen=True, slots=True)
class _Places:
    """Options of an item that differ in their bins alone, as numbers of `width` bits a bin: the
    bit of the first size that the option takes there, of the second, ..."""

    width: int
    codes: tuple[int, ...]  # ascending

    def swappable(self, a: int, b: int) -> bool:
        """Whether swapping the two bins turns the options into themselves."""
        width, low = self.width, (1 << self.width) - 1
        known = frozenset(self.codes)
        a, b = a * width, b * width
        for code in self.codes:
            differ = ((code >> a) ^ (code >> b)) & low
            if differ and code ^ (differ << a) ^ (differ << b) not in known:
                return False
        return True


def alike_bins(problem: Problem) -> tuple[int, ...]:
    """By bin the number of its class, counted from 0 in the order of the first bins.

    Two bins of a class have the same capacity and area and the same load of every item; swapping
    them turns the options of every item into themselves, sizes and costs included. What
    problem.alike says is not looked at.
    """
    items = [problem.items[members[0]] for members in equal_items(problem.items)]
    places = dict.fromkeys(one for item in items for one in _places(item))
    classes: list[int] = []
    firsts: list[int] = []  # the first bin of each class
    for b in range(len(problem.capacity)):
        number = next(
            (
                at
                for at, a in enumerate(firsts)
                if _equal(problem, items, a, b) and all(one.swappable(a, b) for one in places)
            ),
            None,
        )
        if number is None:
            number = len(firsts)
            firsts.append(b)
        classes.append(number)
    return tuple(classes)


def _places(item: Item) -> list[_Places]:
    """Items differ in sizes and costs, but mostly not in what is grouped by these: all pairs, all
    linked pairs. So few of these are to be looked at for all items together."""
    groups: dict[tuple[object, ...], list[Option]] = {}
    for option in item.options:
        groups.setdefault((option.cost, tuple(sorted(option.sizes))), []).append(option)
    found = []
    for options in groups.values():
        sizes = sorted(dict.fromkeys(options[0].sizes))
        bit = {size: 1 << at for at, size in enumerate(sizes)}
        width = len(sizes)
        if width == 1:
            codes = {sum([1 << b for b in one.bins]) for one in options}
        else:
            codes = {
                sum([bit[s] << b * width for b, s in zip(one.bins, one.sizes, strict=True)])
                for one in options
            }
        found.append(_Places(width, tuple(sorted(codes))))
    return found


def _equal(problem: Problem, items: Sequence[Item], a: int, b: int) -> bool:
    if problem.capacity[a] != problem.capacity[b]:
        return False
    if problem.areas and problem.areas[a] != problem.areas[b]:
        return False
    return all(item.load.get(a, 0) == item.load.get(b, 0) for item in items)
