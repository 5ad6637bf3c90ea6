"""A state of the search: what is left of the bins, and what each kind may still choose."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from .shares import FULL
from .table import Choice, Table

Pick = tuple[int, int]  # a kind, and the choice of one of its items
Seen = tuple[tuple[int, ...], ...]  # what a state is like

TAKEN = -1  # room of a bin that an item has to itself


_STEPS_TO_PLACE = 4


class Meter:
    """Counts steps, which stand for time: about 4 microseconds each. A step is one look at the
    choices of a kind; what else is done counts as so many of them."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps = 0


class State:
    """room: of each bin; twice what is free, and 1 more while nothing at all is in it.

    left: how many items of each kind are to be placed; todo: the kinds of which there are any;
    alive: the choices that each of them still has; spare: by measure, what the bins hold beyond
    what the items must take; loads: of each area.
    """

    __slots__ = ("alive", "cost", "left", "loads", "room", "spare", "todo")

    def __init__(
        self,
        room: list[int],
        left: list[int],
        todo: list[int],
        alive: list[int],
        spare: list[int],
        cost: int,
        loads: list[int],
    ) -> None:
        self.room = room
        self.left = left
        self.todo = todo
        self.alive = alive
        self.spare = spare
        self.cost = cost
        self.loads = loads


def first_state(table: Table) -> State | None:
    """Nothing is placed. None: the items cannot all be placed, by the sums alone."""
    kinds = table.kinds
    if any(not kind.choices for kind in kinds):
        return None
    spare = list(table.shares)
    for kind in kinds:
        for at, share in enumerate(kind.least_shares):
            spare[at] -= share * len(kind.members)
    if min(spare) < 0:
        return None
    return State(
        [2 * one + 1 for one in table.capacity],
        [len(kind.members) for kind in kinds],
        list(range(len(kinds))),
        [(1 << len(kind.choices)) - 1 for kind in kinds],
        spare,
        0,
        [0] * table.areas,
    )


def place(table: Table, state: State, at: int, choice: Choice, meter: Meter) -> State | None:
    """The state after an item of kind `at` made the choice; None where another has none left."""
    kinds = table.kinds
    kind = kinds[at]
    spare = [
        have - more + least
        for have, more, least in zip(state.spare, choice.shares, kind.least_shares, strict=True)
    ]
    if min(spare) < 0:
        return None
    room = state.room.copy()
    newly = []  # bins that were empty
    for b, size in zip(choice.bins, choice.sizes, strict=True):
        if room[b] & 1 and not kind.alone:
            newly.append(b)
        room[b] = TAKEN if kind.alone else (room[b] & ~1) - 2 * size
    left = state.left.copy()
    left[at] -= 1
    todo = state.todo if left[at] else [one for one in state.todo if one != at]
    alive = state.alive.copy()
    meter.steps += _STEPS_TO_PLACE + len(todo)
    for one in todo:
        other = kinds[one]
        mask = alive[one]
        if other.alone:
            for b in choice.bins if kind.alone else newly:
                mask &= other.keep[b][0]
        else:
            for b in choice.bins:
                mask &= other.keep[b][bisect_right(other.sizes[b], room[b] >> 1)]
        if not mask:
            return None
        alive[one] = mask
    loads = [a + b for a, b in zip(state.loads, choice.loads, strict=True)]
    after = State(room, left, todo, alive, spare, state.cost + choice.cost, loads)
    return after if _room_enough(table, after) else None


def _room_enough(table: Table, state: State) -> bool:
    """Enough empty bins for the items that share none, and enough room for all, where what is left
    of a bin counts only if the smallest item that is to come would fit."""
    whole, least, alone_only = 0, None, True
    for at in state.todo:
        kind = table.kinds[at]
        if kind.alone:
            whole += kind.least_bins * state.left[at]
        else:
            alone_only = False
            if least is None or kind.least_size < least:
                least = kind.least_size
    if whole and sum(one & 1 for one in state.room if one > 0) < whole:
        return False
    spare = state.spare[0]
    for one, capacity in zip(state.room, table.capacity, strict=True):
        if one > 1 and not one & 1 and (alone_only or (least is not None and one >> 1 < least)):
            spare -= (one >> 1) * FULL // capacity
            if spare < 0:
                return False
    return True


class Form:
    """What a state is like, whichever of the equal bins it is that something lies in."""

    __slots__ = ("_groups", "_single")

    def __init__(self, alike: Sequence[int], bins: int) -> None:
        groups: dict[int, list[int]] = {}
        for b in range(bins):
            groups.setdefault(alike[b] if alike else b, []).append(b)
        self._single = [one[0] for one in groups.values() if len(one) == 1]
        self._groups = [one for one in groups.values() if len(one) > 1]

    def of(self, state: State) -> Seen:
        room = state.room
        parts = [tuple(state.left), tuple([room[b] for b in self._single])]
        for group in self._groups:
            parts.append(tuple(sorted([room[b] for b in group])))
        return tuple(parts)


def fresh(state: State) -> State:
    """A copy whose choices a walk may strike."""
    return State(
        state.room, state.left, state.todo, state.alive.copy(), state.spare, state.cost, state.loads
    )


def first(mask: int) -> int:
    """The lowest choice of a set that is not empty; choices are by cost, so it is a cheapest."""
    return (mask & -mask).bit_length() - 1


def bits(mask: int) -> Iterator[int]:
    """The choices of a set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def picks_of(path: Iterable[Pick], table: Table) -> tuple[Pick, ...]:
    """The picks of a path by item, in the order of the problem's items."""
    chosen: list[list[int]] = [[] for _ in table.kinds]
    for kind, choice in path:
        chosen[kind].append(choice)
    found = [(0, 0)] * table.items
    for at, one in enumerate(table.kinds):
        for member, choice in zip(one.members, sorted(chosen[at]), strict=True):
            found[member] = (at, choice)
    return tuple(found)
