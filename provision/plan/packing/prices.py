"""Prices: what room costs, so that wishes for more of it than there is show in the bound."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from .shares import FULL
from .state import State
from .table import Kind, Table


class Price:
    """A price of room by one measure: a Lagrange multiplier of the sum over all bins.

    Every choice costs its cost and the price of what it takes beyond the least of its kind, and
    the room that is to spare is paid back. All numbers are FULL times those of costs.
    """

    __slots__ = ("_extras", "_floors", "_measure", "_price", "_sets")

    def __init__(self, table: Table, measure: int, price: int) -> None:
        self._measure, self._price = measure, price
        self._floors: list[int] = []
        self._extras: list[list[int]] = []
        self._sets: list[list[int]] = []  # what costs less than that much extra
        for kind in table.kinds:
            priced = [_priced(kind, at, measure, price) for at in range(len(kind.choices))]
            floor = min(priced)
            by_extra: dict[int, int] = {}
            for at, one in enumerate(priced):
                by_extra[one - floor] = by_extra.get(one - floor, 0) | 1 << at
            extras, sets = sorted(by_extra), [0]
            for extra in extras:
                sets.append(sets[-1] | by_extra[extra])
            self._floors.append(floor)
            self._extras.append(extras)
            self._sets.append(sets)

    def bound(self, state: State) -> int:
        """Nothing that follows the state costs less."""
        return -(-self._bound(state) // FULL)

    def slack(self, state: State, limit: int) -> int:
        """By how much a cost below `limit` is beyond the bound; below 0 there is none."""
        return (limit - 1) * FULL - self._bound(state)

    def within(self, kind: int, slack: int) -> int:
        """The choices of a kind that cost at most that much more than its cheapest."""
        return self._sets[kind][bisect_right(self._extras[kind], slack)]

    def _bound(self, state: State) -> int:
        total = state.cost * FULL - self._price * state.spare[self._measure]
        for at in state.todo:
            total += self._floors[at] * state.left[at]
        return total


def prices_of(table: Table, state: State, most: int = 2) -> tuple[Price, ...]:
    """The prices that lift the bound of the state above the sum of the cheapest choices, by as much
    as one price can; those that lift it most, none where none does."""
    cheapest = state.cost + sum(table.kinds[at].costs[0] * state.left[at] for at in state.todo)
    found = []
    for measure in range(len(table.shares)):
        price = Price(table, measure, _best_price(table, state, measure))
        bound = price.bound(state)
        if bound > cheapest:
            found.append((-bound, measure, price))
    found.sort(key=lambda one: one[:2])
    return tuple(price for _, _, price in found[:most])


def _best_price(table: Table, state: State, measure: int) -> int:
    """The bound is concave in the price: it rises while the cheapest choices take too much."""
    fronts = [_front(table.kinds[at], measure) for at in state.todo]
    counts = [state.left[at] for at in state.todo]
    low, high = 0, 1
    while high < 1 << 200 and _taken(fronts, counts, high) > state.spare[measure]:
        low, high = high, high * 2
    if low == 0:
        return 0 if _taken(fronts, counts, 0) <= state.spare[measure] else 1
    while high - low > 1:
        middle = (low + high) // 2
        if _taken(fronts, counts, middle) > state.spare[measure]:
            low = middle
        else:
            high = middle
    return high


def _front(kind: Kind, measure: int) -> list[tuple[int, int]]:
    """Share beyond the least and cost of the choices that are cheapest for their share."""
    front: list[tuple[int, int]] = []
    least: int | None = None
    for share, cost in sorted({(one.shares[measure], one.cost) for one in kind.choices}):
        if least is None or cost < least:
            least = cost
            front.append((share - kind.least_shares[measure], cost))
    return front


def _taken(fronts: Sequence[list[tuple[int, int]]], counts: Sequence[int], price: int) -> int:
    """What the items take beyond the least, each at its cheapest and, of those, its smallest."""
    total = 0
    for front, count in zip(fronts, counts, strict=True):
        total += count * min((cost * FULL + price * share, share) for share, cost in front)[1]
    return total


def _priced(kind: Kind, at: int, measure: int, price: int) -> int:
    choice = kind.choices[at]
    return choice.cost * FULL + price * (choice.shares[measure] - kind.least_shares[measure])
