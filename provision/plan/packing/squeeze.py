"""Squeezing in: a way in which everything fits, looked for from ways in which it does not."""

from __future__ import annotations

import random

from .state import Meter, Pick, State, picks_of, place
from .table import Choice, Table

_LOOKS = 12  # choices, and items to change places with, that are drawn for one move
_STEPS = 40  # that one move counts as
_COOLING = 400  # moves after which less room is lent


class Squeeze:
    """Every item has a choice, at first without regard to room; what is over is moved about.

    A move takes an item from a bin that holds too much, to another choice or in exchange for an
    item elsewhere, and is kept when what is over grows by less than is lent at that time.
    """

    def __init__(self, table: Table, meter: Meter) -> None:
        self._table = table
        self._meter = meter
        self._dice = random.Random(2)  # of a fixed seed: the same problem takes the same way
        self._used = [0] * len(table.capacity)
        self._kinds = [at for at, kind in enumerate(table.kinds) for _ in kind.members]
        self._picked = [0] * len(self._kinds)
        self._by_bins = [
            {one.bins: at for at, one in reversed(list(enumerate(kind.choices)))}
            for kind in table.kinds
        ]
        self._on: list[list[int]] = [[] for _ in table.capacity]  # items by bin
        for item in sorted(range(len(self._kinds)), key=self._weight):
            choices = table.kinds[self._kinds[item]].choices
            self._put(item, min(range(len(choices)), key=lambda at: self._over(item, at)))

    def run(self, start: State, until: int) -> tuple[Pick, ...] | None:
        """By item the picks in which everything fits; None when none came up before `until`."""
        turn, lent = 0, sum(self._table.capacity) // (4 * len(self._used) or 1)
        while self._meter.steps < until:
            full = [b for b, one in enumerate(self._used) if one > self._table.capacity[b]]
            if not full:
                return self._fitting(start)
            self._meter.steps += _STEPS
            self._move(self._dice.choice(full), int(lent * self._dice.random() ** 3))
            turn += 1
            if turn % _COOLING == 0:
                lent = lent * 3 // 4 or sum(self._table.capacity) // (4 * len(self._used))
        return None

    def _fitting(self, start: State) -> tuple[Pick, ...] | None:
        """Checked by the rules of the search: items of no size share with nobody either."""
        state: State | None = start
        picks = tuple(zip(self._kinds, self._picked, strict=True))
        for kind, at in picks:
            if state is None or not state.alive[kind] >> at & 1:
                return None
            choice = self._table.kinds[kind].choices[at]
            state = place(self._table, state, kind, choice, self._meter)
        return picks_of(picks, self._table) if state is not None else None

    def _move(self, full: int, lent: int) -> None:
        item = self._dice.choice(self._on[full])
        old = self._picked[item]
        before = self._total()
        self._take(item)
        choices = self._table.kinds[self._kinds[item]].choices
        best: tuple[int, int, int] | None = None  # what is over then, choice, item to exchange with
        base = self._total()
        for _ in range(_LOOKS):
            at = self._dice.randrange(len(choices))
            if at != old:
                key = (base + self._over(item, at), at, -1)
                best = key if best is None or key < best else best
        for _ in range(_LOOKS):
            other = self._dice.randrange(len(self._kinds))
            found = self._exchanged(item, old, other)
            if found is not None and (best is None or found < best):
                best = found
        if best is None or best[0] > before + lent:
            self._put(item, old)
            return
        _, at, other = best
        if other >= 0:
            self._take(other)
            self._put(other, self._same_bins(other, choices[old]) or 0)
        self._put(item, at)

    def _exchanged(self, item: int, old: int, other: int) -> tuple[int, int, int] | None:
        if other == item:
            return None
        mine = self._table.kinds[self._kinds[item]].choices
        their = self._table.kinds[self._kinds[other]].choices[self._picked[other]]
        here, there = self._same_bins(other, mine[old]), self._same_bins(item, their)
        if here is None or there is None or there == old:
            return None
        was = self._picked[other]
        self._take(other)
        self._put(other, here)
        over = self._total() + self._over(item, there)
        self._take(other)
        self._put(other, was)
        return over, there, other

    def _same_bins(self, item: int, choice: Choice) -> int | None:
        return self._by_bins[self._kinds[item]].get(choice.bins)

    def _sizes(self, item: int, at: int) -> list[tuple[int, int]]:
        kind = self._table.kinds[self._kinds[item]]
        choice = kind.choices[at]
        if kind.alone:
            return [(b, self._table.capacity[b]) for b in choice.bins]
        return list(zip(choice.bins, choice.sizes, strict=True))

    def _over(self, item: int, at: int) -> int:
        """How much more would be over."""
        more = 0
        for b, size in self._sizes(item, at):
            room = self._table.capacity[b] - self._used[b]
            more += max(0, size - max(0, room))
        return more

    def _total(self) -> int:
        return sum([max(0, a - b) for a, b in zip(self._used, self._table.capacity, strict=True)])

    def _put(self, item: int, at: int) -> None:
        self._picked[item] = at
        for b, size in self._sizes(item, at):
            self._used[b] += size
            self._on[b].append(item)

    def _take(self, item: int) -> None:
        for b, size in self._sizes(item, self._picked[item]):
            self._used[b] -= size
            self._on[b].remove(item)

    def _weight(self, item: int) -> tuple[int, int]:
        return -self._table.kinds[self._kinds[item]].weight, item
