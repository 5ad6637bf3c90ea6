"""The walk: depth first through the states, the kind with the fewest choices first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from .prices import Price
from .state import Form, Meter, Pick, Seen, State, first, fresh, place
from .table import Table


class Walk:
    """limit: what the cost must stay below; None before anything was found. path: the best that was
    found. whole: nothing was left out, so that there is nothing better. until: the number of steps
    at which it ends; floor: nothing is known to cost less.

    Two things spare equal work and go together, since each only points to what came earlier. Of
    equal items none takes a choice that was tried for another one at the same place: the same two
    choices the other way round were seen then. And no state is entered of which the like was
    entered at the same cost or less.
    """

    def __init__(
        self,
        table: Table,
        form: Form,
        meter: Meter,
        until: int,
        limit: int | None = None,
        prices: Sequence[Price] = (),
        floor: int | None = None,
    ) -> None:
        self.table = table
        self.limit = limit
        self.path: tuple[Pick, ...] | None = None
        self.whole = True
        self._form = form
        self._meter = meter
        self._until = until
        self._prices = prices
        self._floor = floor
        self._seen: dict[Seen, int] = {}
        self._made: list[Pick] = []

    def run(self, state: State) -> None:
        """Everything that can follow a state, which stays as it is."""
        self._enter(fresh(state))

    def _enter(self, state: State) -> None:
        if not state.todo:
            self._end(state)
        elif self._meter.steps >= self._until:
            self.whole = False
        elif self._hopeful(state) and not self._reached():
            at = self._next(state)
            if at is not None:
                self._branch(state, at)

    def _reached(self) -> bool:
        limit, floor = self.limit, self._floor
        return limit is not None and floor is not None and limit <= floor

    def _end(self, state: State) -> None:
        """Every item has its choice."""
        self.limit, self.path = state.cost, tuple(self._made)

    def _hopeful(self, state: State) -> bool:  # noqa: ARG002 for those that know more
        return True

    def _order(self, state: State, at: int) -> Sequence[int]:
        raise NotImplementedError

    def _like(self, state: State) -> Seen:
        return self._form.of(state)

    def _next(self, state: State) -> int | None:
        """The kind to place next; None where nothing that costs less than the limit can follow.

        Choices that alone would cost too much are struck from the state.
        """
        kinds, alive, left = self.table.kinds, state.alive, state.left
        if self.limit is not None and not self._prices_allow(state, self.limit):
            return None
        bound = state.cost
        lows = []
        for at in state.todo:
            low = kinds[at].costs[first(alive[at])]
            lows.append(low)
            bound += low * left[at]
        slack = None if self.limit is None else self.limit - 1 - bound
        if slack is not None and slack < 0:
            return None
        chosen, fewest = None, (0, 0, 0)
        for at, low in zip(state.todo, lows, strict=True):
            kind = kinds[at]
            mask = alive[at] & ((1 << bisect_right(kind.costs, low + (slack or 0))) - 1)
            if slack is not None:
                alive[at] = mask
            key = (mask.bit_count(), -kind.weight, at)
            if chosen is None or key < fewest:
                chosen, fewest = at, key
        return chosen

    def _prices_allow(self, state: State, limit: int) -> bool:
        alive = state.alive
        for price in self._prices:
            slack = price.slack(state, limit)
            if slack < 0:
                return False
            for at in state.todo:
                alive[at] &= price.within(at, slack)
                if not alive[at]:
                    return False
        return True

    def _branch(self, state: State, at: int) -> None:
        kind, alive, left = self.table.kinds[at], state.alive, state.left[at]
        others = self._least(state, at)
        for low in self._order(state, at):
            choice = kind.choices[low]
            # No equal item costs less than the first of what is still to be tried.
            more = (left - 1) * kind.costs[first(alive[at])]
            if self.limit is None or others + choice.cost + more < self.limit:
                after = place(self.table, state, at, choice, self._meter)
                if after is not None and not self._was_seen(after):
                    self._made.append((at, low))
                    self._enter(after)
                    self._made.pop()
                    if not self.whole:
                        return
            alive[at] &= ~(1 << low)

    def _least(self, state: State, but: int) -> int:
        """What the placed items cost, and the others at the least, without those of one kind."""
        kinds, alive, left = self.table.kinds, state.alive, state.left
        bound = state.cost
        for at in state.todo:
            if at != but:
                bound += kinds[at].costs[first(alive[at])] * left[at]
        return bound

    def _was_seen(self, state: State) -> bool:
        like = self._like(state)
        known = self._seen.get(like)
        if known is not None and known <= state.cost:
            return True
        self._seen[like] = state.cost
        return False
