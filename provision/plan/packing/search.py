"""The search: branch and bound over items, with memory of what was seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .alike import alike_bins
from .balance import Balance, even_form, imbalance_of, least_imbalance
from .descent import Descent
from .loose import loosened, tightened
from .mend import mended
from .prices import Price, prices_of
from .problem import Item, Problem, Solution
from .squeeze import Squeeze
from .state import Form, Meter, Pick, State, first_state, picks_of
from .table import Table, table_of

_FIRST = 10  # a tenth of the steps for the first descent


@dataclass(frozen=True, slots=True)
class Outcome:
    """solution None with proven: nothing fits; without: nothing was found within the steps."""

    solution: Solution | None
    proven: bool
    steps: int


def solve(problem: Problem, most_steps: int = 200_000) -> Solution | None:
    """The cheapest choice that fits, the most balanced one among those; None when none fits.

    Deterministic: the same problem gives the same choice. Where most_steps ends the search the
    best choice so far comes back with proven False; None then means that none was found.
    """
    return search(problem, most_steps).solution


def search(problem: Problem, most_steps: int = 200_000) -> Outcome:
    """solve(), which also tells whether None is proven. About 250,000 steps take a second."""
    table = table_of(problem)
    start = first_state(table)
    if start is None:
        return Outcome(None, True, 0)
    run = _Run(problem, table, start, most_steps)
    run.cheapest()
    if run.picks is None:
        return Outcome(None, run.proven, run.meter.steps)
    run.most_balanced()
    return Outcome(run.solution(), run.proven, run.meter.steps)


class _Run:
    """One search. picks: the best so far, by item."""

    def __init__(self, problem: Problem, table: Table, start: State, most_steps: int) -> None:
        self.problem = problem
        self.table = table
        self.start = start
        self.most = most_steps
        self.meter = Meter()
        self.form = Form(problem.alike, len(problem.capacity))
        self.picks: tuple[Pick, ...] | None = None
        self.proven = False
        self.balanced = False

    def cheapest(self) -> None:
        """Sets picks and proven. A quarter of the steps is left for the balance."""
        self._descend(self.most // _FIRST, ())
        if self.proven:
            return
        floor = self._loose(self.most // 4)
        if self.proven:
            return
        if self.picks is None:
            until = self.meter.steps + self.most // 5
            self.picks = Squeeze(self.table, self.meter).run(self.start, until)
        prices = prices_of(self.table, self.start)
        self._mend_cost(self.meter.steps + self.most // 5, prices, floor)
        # The areas count for the balance alone.
        everywhere = replace(
            self.problem, areas=(), items=tuple(map(_unloaded, self.problem.items))
        )
        self.form = Form(alike_bins(everywhere), len(self.problem.capacity))
        self._descend(self.most * 3 // 4, prices, floor)

    def _descend(self, until: int, prices: tuple[Price, ...], floor: int | None = None) -> None:
        limit = None if self.picks is None else self._cost(self.picks)
        walk = Descent(self.table, self.form, self.meter, until, limit, prices, floor)
        walk.run(self.start)
        self.proven = walk.whole
        if walk.path is not None:
            self.picks = picks_of(walk.path, self.table)

    def _loose(self, until: int) -> int | None:
        """What nothing can cost less than, from the loose problem; None when that is not solved.

        Sets proven where nothing fits or the picks cost no more, and picks where there are none.
        """
        problem = loosened(self.problem)
        table = table_of(problem)
        start = first_state(table)
        if start is None:
            self.proven = True
            return None
        form = Form(problem.alike, len(problem.capacity))
        walk = Descent(table, form, self.meter, until, None, prices_of(table, start))
        walk.run(start)
        if walk.path is None:
            self.proven = walk.whole
            return None
        picks = picks_of(walk.path, table)
        tight = tightened(self.table, table, picks)
        if self.picks is None or self._cost(tight) < self._cost(self.picks):
            self.picks = tight
        if not walk.whole:
            return None
        floor = sum(
            sum(a * b for a, b in zip(option.cost, self.table.weights, strict=True))
            for item, (kind, at) in zip(problem.items, picks, strict=True)
            for option in (item.options[table.kinds[kind].choices[at].index],)
        )
        self.proven = self._cost(self.picks) <= floor
        return floor

    def _mend_cost(self, until: int, prices: tuple[Price, ...], floor: int | None) -> None:
        if self.picks is None:
            return
        best = self._cost(self.picks)
        if floor is not None and best <= floor:
            return

        def look(state: State, steps: int) -> tuple[Pick, ...] | None:
            nonlocal best
            until = self.meter.steps + steps
            walk = Descent(self.table, self.form, self.meter, until, best, prices, floor)
            walk.run(state)
            best = best if walk.limit is None else walk.limit
            return walk.path

        self.picks = mended(self.table, self.start, self.picks, self.meter, until, look)

    def most_balanced(self) -> None:
        """Sets picks to the most balanced of that cost that is found, and balanced."""
        if self.picks is None:
            return
        limit, best = self._cost(self.picks) + 1, imbalance_of(self._loads(self.picks))
        if best <= least_imbalance(self.table, self.start):
            self.balanced = self.proven
            return
        form = even_form(self.problem, self.table)

        def walked(state: State, until: int) -> Balance:
            nonlocal best
            walk = Balance(self.table, form, self.meter, until, limit, best)
            walk.run(state)
            best = walk.imbalance
            return walk

        def look(state: State, steps: int) -> tuple[Pick, ...] | None:
            return walked(state, self.meter.steps + steps).path

        rest = self.most - self.meter.steps
        self._all_balanced(walked(self.start, self.meter.steps + rest // 10))
        if self.balanced or self._even_enough(best):
            return
        until = self.meter.steps + rest // 4
        self.picks = mended(self.table, self.start, self.picks, self.meter, until, look)
        if not self._even_enough(best):
            self._all_balanced(walked(self.start, self.most))

    def _all_balanced(self, walk: Balance) -> None:
        """After a walk through all choices of the cost, not a few items' alone."""
        self.balanced = walk.whole and self.proven
        if walk.path is not None:
            self.picks = picks_of(walk.path, self.table)

    def _even_enough(self, imbalance: int) -> bool:
        """Less than a thousandth above what nothing can beat: not worth most of a second."""
        least = least_imbalance(self.table, self.start)
        return (imbalance - least) * 1000 <= least

    def solution(self) -> Solution:
        picks = self.picks or ()
        choice = tuple(self.table.kinds[kind].choices[at].index for kind, at in picks)
        costs = [i.options[o].cost for i, o in zip(self.problem.items, choice, strict=True)]
        cost = tuple(sum(column) for column in zip(*costs, strict=True))
        imbalance = imbalance_of(self._loads(picks))
        return Solution(choice, cost, imbalance, self.proven, self.meter.steps, self.balanced)

    def _cost(self, picks: tuple[Pick, ...]) -> int:
        return sum(self.table.kinds[kind].costs[at] for kind, at in picks)

    def _loads(self, picks: tuple[Pick, ...]) -> list[int]:
        loads = [0] * self.table.areas
        for kind, at in picks:
            more = self.table.kinds[kind].choices[at].loads
            loads = [a + b for a, b in zip(loads, more, strict=True)]
        return loads


def _unloaded(item: Item) -> Item:
    return replace(item, load={})
