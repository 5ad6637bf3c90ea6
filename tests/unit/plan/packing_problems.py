"""Problems of placement for tests, and the answer by trying everything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

from provision.plan.packing.problem import Cost, Option, Problem, Solution

Best = tuple[Cost, int]  # cost and imbalance


def option(bins: Sequence[int], size: int, *cost: int) -> Option:
    return Option(tuple(bins), (size,) * len(bins), cost)


def groups(
    bins: int, width: int, size: int, kept: Sequence[int] | None = None, joined: int = 2
) -> tuple[Option, ...]:
    """All groups of that many bins, by (moves, crossings of sockets, torn pairs).

    Each half of the bins is a socket; neighbours are linked where joined is 2.
    """
    found = []
    for group in combinations(range(bins), width):
        moved = int(kept is not None and tuple(kept) != group)
        crossed = len({b * 2 // bins for b in group}) - 1
        torn = sum(b ^ 1 not in group for b in group) if width > 1 and joined == 2 else 0
        found.append(option(group, size, moved, crossed, torn))
    return tuple(found)


def cheapest_of_all(problem: Problem) -> Best | None:
    """By every combination of options that fits, without any bound; None where none does."""
    names = sorted(set(problem.areas))
    best: Best | None = None
    length = max((len(o.cost) for item in problem.items for o in item.options), default=0)

    def add(at: int, taken: list[list[tuple[int, bool]]], cost: Cost, loads: list[int]) -> None:
        nonlocal best
        if at == len(problem.items):
            found = (cost, sum(one * one for one in loads))
            best = found if best is None else min(best, found)
            return
        item = problem.items[at]
        for one in item.options:
            if not all(
                fits(problem.capacity[b], taken[b], size, item.alone)
                for b, size in zip(one.bins, one.sizes, strict=True)
            ):
                continue
            more = list(loads)
            for b, size in zip(one.bins, one.sizes, strict=True):
                taken[b].append((size, item.alone))
                if names:
                    more[names.index(problem.areas[b])] += item.load.get(b, 0)
            add(at + 1, taken, tuple(x + y for x, y in zip(cost, one.cost, strict=True)), more)
            for b in one.bins:
                taken[b].pop()

    add(0, [[] for _ in problem.capacity], (0,) * length, [0] * len(names))
    return best


def fits(capacity: int, there: Sequence[tuple[int, bool]], size: int, alone: bool) -> bool:
    if there and (alone or any(one for _, one in there)):
        return False
    return sum(one for one, _ in there) + size <= capacity


def check(problem: Problem, solution: Solution) -> None:
    """The choice is one that fits, and its figures are those of the choice."""
    taken: list[list[tuple[int, bool]]] = [[] for _ in problem.capacity]
    loads = dict.fromkeys(problem.areas, 0)
    chosen = [i.options[at] for i, at in zip(problem.items, solution.choice, strict=True)]
    for item, one in zip(problem.items, chosen, strict=True):
        for b, size in zip(one.bins, one.sizes, strict=True):
            assert fits(problem.capacity[b], taken[b], size, item.alone), item.name
            taken[b].append((size, item.alone))
            if problem.areas:
                loads[problem.areas[b]] += item.load.get(b, 0)
    assert solution.cost == tuple(sum(c) for c in zip(*(o.cost for o in chosen), strict=True))
    assert solution.imbalance == sum(one * one for one in loads.values())


def swappable(problem: Problem, a: int, b: int) -> bool:
    """By the definition: swapping the bins changes nothing for any item."""
    if problem.capacity[a] != problem.capacity[b]:
        return False
    if problem.areas and problem.areas[a] != problem.areas[b]:
        return False
    other = {a: b, b: a}
    for item in problem.items:
        if item.load.get(a, 0) != item.load.get(b, 0):
            return False
        before = {(frozenset(zip(o.bins, o.sizes, strict=True)), o.cost) for o in item.options}
        after = {
            (frozenset((other.get(one, one), size) for one, size in form), cost)
            for form, cost in before
        }
        if before != after:
            return False
    return True


def orders(problem: Problem, most: int = 5) -> list[Problem]:
    """The problem with its items in other orders."""
    found = []
    for at, items in enumerate(permutations(problem.items)):
        if at == most:
            break
        found.append(
            Problem(problem.capacity, tuple(reversed(items)), problem.areas, problem.alike)
        )
    return found
