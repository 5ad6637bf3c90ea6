"""The balance: the walk that looks for the least imbalance among the choices of one cost."""

from __future__ import annotations

from collections.abc import Sequence

from .problem import Problem
from .state import Form, Meter, Seen, State, bits
from .table import Table
from .walk import Walk


class Balance(Walk):
    """imbalance: the least that was found at a cost below limit; before that, what it must stay
    below."""

    def __init__(
        self, table: Table, form: Form, meter: Meter, until: int, limit: int, imbalance: int
    ) -> None:
        super().__init__(table, form, meter, until, limit)
        self.imbalance = imbalance

    def _end(self, state: State) -> None:
        imbalance = imbalance_of(state.loads)
        if imbalance < self.imbalance:
            self.imbalance, self.path = imbalance, tuple(self._made)

    def _hopeful(self, state: State) -> bool:
        return least_imbalance(self.table, state) < self.imbalance

    def _like(self, state: State) -> Seen:
        return (*super()._like(state), tuple(state.loads))

    def _order(self, state: State, at: int) -> Sequence[int]:
        """What evens the loads most first."""
        choices, loads = self.table.kinds[at].choices, state.loads
        rest = _rest(self.table, state) - self.table.kinds[at].least_load
        gains: dict[tuple[int, ...], int | None] = {}
        ordered = []
        for one in bits(state.alive[at]):
            more = choices[one].loads
            if more not in gains:
                after = [a + b for a, b in zip(loads, more, strict=True)]
                hope = filled(after, rest) < self.imbalance
                gains[more] = imbalance_of(after) if hope else None
            gain = gains[more]
            if gain is not None:
                ordered.append((gain, one))
        self._meter.steps += state.alive[at].bit_count() >> 2
        return [one for _, one in sorted(ordered)]


def even_form(problem: Problem, table: Table) -> Form:
    """Only bins of one area that every item loads equally are alike where balance counts."""
    bins = range(len(problem.capacity))
    loads = [problem.items[kind.members[0]].load for kind in table.kinds]
    words = [
        (
            problem.alike[b] if problem.alike else b,
            problem.areas[b] if problem.areas else 0,
            tuple(load.get(b, 0) for load in loads),
        )
        for b in bins
    ]
    numbers = {word: at for at, word in enumerate(dict.fromkeys(words))}
    return Form([numbers[word] for word in words], len(bins))


def imbalance_of(loads: Sequence[int]) -> int:
    """The sum of the squares."""
    return sum([one * one for one in loads])


def least_imbalance(table: Table, state: State) -> int:
    """No less can come of the state: the lowest areas filled up evenly with what is to come."""
    if not state.loads:
        return 0
    return filled(state.loads, _rest(table, state))


def _rest(table: Table, state: State) -> int:
    """The load that is to come at the least, in all areas together."""
    kinds, left = table.kinds, state.left
    return sum([kinds[at].least_load * left[at] for at in state.todo])


def filled(loads: Sequence[int], rest: int) -> int:
    """The least sum of squares of these whole numbers after `rest` in all is added to them."""
    ordered = sorted(loads)
    total, count = ordered[0] + rest, 1
    while count < len(ordered) and total > ordered[count] * count:
        total += ordered[count]
        count += 1
    each, over = divmod(total, count)
    above = sum([one * one for one in ordered[count:]])
    return (count - over) * each * each + over * (each + 1) * (each + 1) + above
