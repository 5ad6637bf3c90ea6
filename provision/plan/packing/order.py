"""The order of bins that are alike: the first items get the first of them."""

from __future__ import annotations

from collections.abc import Sequence


def in_bin_order(taken: Sequence[tuple[int, ...]], alike: Sequence[int]) -> list[tuple[int, ...]]:
    """The bins of each item, with those that are alike given out from the lowest on.

    taken: the bins of each item, in the order of the items. Swapping bins that are alike changes
    no cost, so this is the same solution, told in the order in which people read it.
    """
    left: dict[int, list[int]] = {}
    for at, number in enumerate(alike):
        left.setdefault(number, []).append(at)
    given: dict[int, int] = {}
    for bins in taken:
        for one in bins:
            if one not in given:
                given[one] = left[alike[one]].pop(0)
    return [tuple(sorted(given[one] for one in bins)) for bins in taken]
