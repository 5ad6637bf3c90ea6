"""The problem as the search reads it: kinds of equal items, costs as single numbers, bit masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .problem import Item, Option, Problem
from .shares import FULL, Measure, measures_of


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a kind. index: its place in Item.options; loads: by area.

    shares: what it takes of all bins together, by each measure of the table.
    """

    index: int
    bins: tuple[int, ...]
    sizes: tuple[int, ...]
    cost: int
    loads: tuple[int, ...]
    shares: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """Items that differ in nothing but their names. choices are by cost, then by bins.

    A set of choices is an int with the bit of each. sizes and keep are by bin: what the choices
    take of it, ascending, and the choices that remain when only less than that is left; the last
    of keep is all of them, the first those that leave the bin alone.
    """

    members: tuple[int, ...]
    alone: bool
    choices: tuple[Choice, ...]
    costs: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...]
    keep: tuple[tuple[int, ...], ...]
    least_bins: int
    least_size: int
    weight: int  # of the lightest choice: heavy ones are placed first
    least_shares: tuple[int, ...]
    least_load: int


@dataclass(frozen=True, slots=True)
class Table:
    """kinds in the order of their first item; areas: how many there are; shares: FULL of each bin
    that holds anything, by each measure; weights: of the places of a cost vector, whose sum is the
    cost as one number."""

    capacity: tuple[int, ...]
    kinds: tuple[Kind, ...]
    areas: int
    items: int
    shares: tuple[int, ...]
    weights: tuple[int, ...]


def table_of(problem: Problem) -> Table:
    """ValueError for an option that is not of the problem's form."""
    _check(problem.items)
    groups = equal_items(problem.items)
    names = sorted(set(problem.areas))
    measures = measures_of([(problem.items[one[0]], len(one)) for one in groups], problem.capacity)
    reader = _Reader(
        problem,
        _Scale(problem.items),
        measures,
        tuple(names.index(one) for one in problem.areas),
        len(names),
    )
    total = FULL * sum(one > 0 for one in problem.capacity)
    kinds = tuple(_kind(reader, members) for members in groups)
    shares = (total,) * len(measures)
    return Table(
        problem.capacity, kinds, len(names), len(problem.items), shares, reader.scale.weights
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """What reading an item takes. area_of: by bin."""

    problem: Problem
    scale: _Scale
    measures: tuple[Measure, ...]
    area_of: tuple[int, ...]
    areas: int


def equal_items(items: Sequence[Item]) -> list[tuple[int, ...]]:
    """Indices of the items that are interchangeable."""
    groups: list[list[int]] = []
    by_form: dict[tuple[object, ...], list[list[int]]] = {}
    for at, item in enumerate(items):
        ends = (item.options[0], item.options[-1]) if item.options else ()
        form = (item.alone, len(item.options), ends, tuple(sorted(item.load.items())))
        alike = by_form.setdefault(form, [])
        found = next((one for one in alike if items[one[0]].options == item.options), None)
        if found is None:
            found = []
            alike.append(found)
            groups.append(found)
        found.append(at)
    return [tuple(one) for one in groups]


class _Scale:
    """Cost vectors as single numbers whose sums are ordered as the sums of the vectors are."""

    def __init__(self, items: Sequence[Item]) -> None:
        length = next((len(one.cost) for item in items for one in item.options), 0)
        spans = [1] * length
        seen: dict[int, list[int]] = {}
        for item in items:
            if not item.options:
                continue
            known = seen.get(id(item.options))
            if known is None:
                columns = list(zip(*(o.cost for o in item.options), strict=True))
                known = [max(column) - min(column) for column in columns]
                seen[id(item.options)] = known
            spans = [a + b for a, b in zip(spans, known, strict=True)]
        weights = [1] * length
        for at in range(length - 2, -1, -1):
            weights[at] = weights[at + 1] * spans[at + 1]
        self.weights = tuple(weights)

    def number(self, cost: tuple[int, ...]) -> int:
        return sum(a * b for a, b in zip(cost, self.weights, strict=True))


def _kind(reader: _Reader, members: tuple[int, ...]) -> Kind:
    item = reader.problem.items[members[0]]
    choices = _choices(reader, item)
    masks = _masks(choices, len(reader.problem.capacity))
    return Kind(
        members,
        item.alone,
        choices,
        tuple(one.cost for one in choices),
        tuple(sizes for sizes, _ in masks),
        tuple(keep for _, keep in masks),
        min((len(one.bins) for one in choices), default=0),
        min((size for one in choices for size in one.sizes), default=0),
        min((one.shares[0] for one in choices), default=0),
        tuple(
            min((c.shares[at] for c in choices), default=0) for at in range(len(reader.measures))
        ),
        min((sum(c.loads) for c in choices), default=0),
    )


def _choices(reader: _Reader, item: Item) -> tuple[Choice, ...]:
    """The options that fit into empty bins, but those that another one of the same bins beats."""
    capacity = reader.problem.capacity
    found: list[Choice] = []
    known: dict[tuple[int, ...], tuple[int, ...]] = {}  # shares by capacities and sizes
    for index, option in enumerate(item.options):
        if any(s > capacity[b] for b, s in zip(option.bins, option.sizes, strict=True)):
            continue
        loads = [0] * reader.areas
        if reader.areas:
            for b in option.bins:
                loads[reader.area_of[b]] += item.load.get(b, 0)
        form = (*(capacity[b] for b in option.bins), *option.sizes)
        if form not in known:
            known[form] = _shares(capacity, option, item.alone, reader.measures)
        shares = known[form]
        cost = reader.scale.number(option.cost)
        found.append(Choice(index, option.bins, option.sizes, cost, tuple(loads), shares))
    found.sort(key=lambda one: (one.cost, one.bins, one.sizes, one.index))
    kept: list[Choice] = []
    by_bins: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for one in found:
        cheaper = by_bins.setdefault(one.bins, [])
        if cheaper and item.alone:
            continue
        if any(all(a <= b for a, b in zip(c, one.sizes, strict=True)) for c in cheaper):
            continue
        cheaper.append(one.sizes)
        kept.append(one)
    return tuple(kept)


def _check(items: Sequence[Item]) -> None:
    """ValueError where an option is not as Option says; a search would go wrong silently."""
    length = next((len(one.cost) for item in items for one in item.options), 0)
    known: set[int] = set()  # options by id: equal items mostly share one tuple of them
    for item in items:
        if min(item.load.values(), default=0) < 0:
            raise ValueError(f"{item.name}: a load is below 0")
        if id(item.options) in known:
            continue
        known.add(id(item.options))
        for index, option in enumerate(item.options):
            bins, sizes = option.bins, option.sizes
            if len(bins) != len(sizes) or len(option.cost) != length:
                raise ValueError(f"{item.name}: sizes or cost of option {index}: wrong length")
            if len(bins) > 1 and any(a >= b for a, b in pairwise(bins)):
                raise ValueError(f"{item.name}: the bins of option {index} do not ascend")
            if sizes and min(sizes) < 0:
                raise ValueError(f"{item.name}: option {index} has a size below 0")


def _shares(
    capacity: Sequence[int], option: Option, alone: bool, measures: Sequence[Measure]
) -> tuple[int, ...]:
    """Choice.shares; a bin that holds nothing has no shares."""
    if alone:
        return (FULL * sum(capacity[b] > 0 for b in option.bins),) * len(measures)
    taken = [(s, capacity[b]) for b, s in zip(option.bins, option.sizes, strict=True) if s]
    return tuple(sum(measure(size, whole) for size, whole in taken) for measure in measures)


def _masks(choices: Sequence[Choice], bins: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """By bin: Kind.sizes and Kind.keep."""
    by_size: list[dict[int, int]] = [{} for _ in range(bins)]
    for at, one in enumerate(choices):
        for b, size in zip(one.bins, one.sizes, strict=True):
            by_size[b][size] = by_size[b].get(size, 0) | 1 << at
    found = []
    for masks in by_size:
        sizes = sorted(masks)
        keep = [(1 << len(choices)) - 1] * (len(sizes) + 1)
        for at in range(len(sizes) - 1, -1, -1):
            keep[at] = keep[at + 1] & ~masks[sizes[at]]
        found.append((tuple(sizes), tuple(keep)))
    return found
