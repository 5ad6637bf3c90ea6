"""The descent: the walk that looks for the least cost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from .state import State, bits, first
from .walk import Walk


class Descent(Walk):
    """Cheap choices first; of equal cost what fills its bins best first, for items that share."""

    def _order(self, state: State, at: int) -> Sequence[int]:
        kind, room, mask = self.table.kinds[at], state.room, state.alive[at]
        if kind.alone:
            return list(bits(mask))
        self._meter.steps += mask.bit_count() >> 2
        found: list[int] = []
        while mask:
            same = mask & ((1 << bisect_right(kind.costs, kind.costs[first(mask)])) - 1)
            mask ^= same
            ordered = [(sum([room[b] for b in kind.choices[one].bins]), one) for one in bits(same)]
            found += [one for _, one in sorted(ordered)]
        return found
