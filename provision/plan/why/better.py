"""Better plans than the rules give: said, and taken only when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provision.host.errors import Diagnostic

from ..complaints import Complaints
from ..placement.place import Placement
from ..plan import Explanation
from ..ways.merit import merit
from ..ways.weighing import Ways
from ..wording import gib, listed

_CROWDED = 1.5  # times the throughput for each GPU
_CLEARLY = 0.1  # more merit, before a better place is worth a word


def say_better(
    free: Placement | None, placement: Placement, ways: Mapping[str, Ways], complaints: Complaints
) -> None:
    """Add a note where what runs stays in a place that is clearly worse than one it could have.

    free: the placement if everything might move.
    """
    if free is None:
        return
    group_of = {wish.name: wish.group for wish in placement.wishes}
    gains = {
        name: merit(service, free.ways[name]) / ours - 1
        for name in sorted(placement.kept & free.moved.keys())
        for service in (ways[group_of[name]].service,)
        if (ours := merit(service, placement.ways[name])) > 0
    }
    better = {name: gain for name, gain in gains.items() if gain > _CLEARLY}
    if better:
        told = listed(f"{name} ({gain:.0%} more by the estimate)" for name, gain in better.items())
        stay = "stays where it runs" if len(better) == 1 else "stay where they run"
        complaints.add(
            Diagnostic(
                "better-place",
                f"{told} would run better elsewhere, and {stay} today",
                hint="--replan moves what runs",
                severity="note",
            )
        )


def say_crowded(explained: Sequence[Explanation], complaints: Complaints) -> None:
    """Where one card holds the model and so little besides that more cards would more than pay."""
    for one in explained:
        chosen = next((way for way in one.candidates if way.verdict == "chosen"), None)
        if chosen is None or chosen.speed is None or one.optimize != "throughput":
            continue
        more = [way for way in one.candidates if way.rule == "not-split" and way.speed is not None]
        each = {way: way.speed.full.middle / len(way.gpus) for way in more if way.speed}
        best = max(each, key=lambda way: each[way], default=None)
        if best is None or each[best] < _CROWDED * chosen.speed.full.middle or best.speed is None:
            continue
        gain = best.speed.full.middle / chosen.speed.full.middle
        complaints.add(
            Diagnostic(
                "crowded",
                f"{one.group}: one GPU holds the model and {chosen.speed.batch} requests at a time;"
                f" {best.way} would give {gain:.1f} x the throughput",
                hint=f"gpus: {len(best.gpus)}",
                severity="note",
            ),
            "instances",
            one.group,
        )


def say_tight(placement: Placement, complaints: Complaints) -> None:
    """Where the need fits, but not with every error of the estimate against it."""
    said: set[str] = set()
    for wish in placement.wishes:
        way = placement.ways[wish.name]
        if not way.tight or wish.group in said:
            continue
        said.add(wish.group)
        needed, error, room = max(
            (need, error, room)
            for need, error, room in zip(way.need_mib, way.error_mib, way.room, strict=True)
            if room is not None and need + error > room
        )
        complaints.add(
            Diagnostic(
                "tight",
                f"{wish.name}: {gib(needed)} of {gib(room)} by the estimate, which may be off by "
                f"{gib(error)}",
                hint="if it does not start, or keeps layers in RAM: a smaller context or parallel",
                severity="note",
            ),
            "instances",
            wish.group,
        )
