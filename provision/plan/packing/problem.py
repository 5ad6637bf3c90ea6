"""The problem of placement, in numbers alone: bins, items, options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Cost = tuple[int, ...]  # compared from the left; all of one length in a problem


@dataclass(frozen=True, slots=True)
class Option:
    """One set of bins that an item may take. sizes: what it takes of each, in bins' order."""

    bins: tuple[int, ...]  # ascending
    sizes: tuple[int, ...]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Item:
    """Something to be placed. alone: it shares its bins with no other item."""

    name: str
    options: tuple[Option, ...]
    alone: bool = True
    load: Mapping[int, int] = field(default_factory=dict)  # per bin: what balance counts


@dataclass(frozen=True, slots=True)
class Problem:
    """capacity: of each bin. areas: the area (NUMA node) of each bin, for balance.

    alike: bins that can be swapped without changing any cost or option of any item carry the same
    number; a search need not look at both.
    """

    capacity: tuple[int, ...]
    items: tuple[Item, ...]
    areas: tuple[int, ...] = ()
    alike: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Solution:
    """choice: index of the option of each item, in the order of the items.

    proven: no choice costs less. imbalance is compared after cost: the sum over areas of the
    squared load of their bins; 0 for a problem without areas. balanced: no choice of this cost has
    less imbalance. steps: how often the options of an item were looked at.
    """

    choice: tuple[int, ...]
    cost: Cost
    imbalance: int
    proven: bool
    steps: int
    balanced: bool = False
