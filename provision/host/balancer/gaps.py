"""Which ways in nobody serves for a while during an apply. Pure: it plays the actions through.

A way in is a route, or an instance that no route leads to. A route is served by those of its
instances that run: wanted ones, and dropped ones until it is their turn to stop. Actions are taken
one after the other, as the transaction does them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..bundle import Bundle
from ..names import NGINX_UNIT
from ..report import Gap, UnitChange


@dataclass(frozen=True, slots=True)
class WayIn:
    """A way in that was there before and stays. routed: by nginx, not straight to an instance."""

    name: str
    routed: bool
    before: tuple[str, ...]  # instances behind it by the last bundle
    wanted: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """All that are behind it at some time."""
        return (*self.wanted, *self.before)


@dataclass(slots=True)
class _Open:
    """A gap whose end has not come yet. seconds None: a start in it has no known time."""

    way: WayIn
    down: tuple[str, ...]
    why: str
    seconds: float | None = 0.0


@dataclass(slots=True)
class _Play:
    """The actions so far: who runs, which gaps are open and which have ended."""

    ways: Sequence[WayIn]
    up: set[str]
    open: dict[str, _Open] = field(default_factory=dict)
    ended: list[_Open] = field(default_factory=list)

    def serving(self, way: WayIn) -> bool:
        return any(name in self.up for name in way.members)

    def begin(self, way: WayIn, why: str) -> None:
        if way.name not in self.open and not self.serving(way):
            down = tuple(sorted(name for name in set(way.members) if name not in self.up))
            self.open[way.name] = _Open(way, down, why)

    def started(self, name: str, seconds: float | None) -> None:
        """One start came to its end; every open gap has lasted as long."""
        self.up.add(name)
        for gap in self.open.values():
            known = gap.seconds is not None and seconds is not None
            gap.seconds = (gap.seconds or 0.0) + (seconds or 0.0) if known else None
        for way in self.ways:
            if way.name in self.open and self.serving(way):
                self.ended.append(self.open.pop(way.name))


def gaps(
    bundle: Bundle,
    last: Bundle | None,
    units: Sequence[UnitChange],
    start_seconds: Mapping[str, float],
) -> tuple[Gap, ...]:
    """What nobody serves for a while when these actions are done one after the other, in order.

    last: what is applied now. start_seconds: by unit, how long its last start took. What is new,
    what is dropped, what does not run now and what has a backup elsewhere has no gap. A gap's
    seconds are those of all starts until the first of its instances is back; None where one of
    them is not known.
    """
    if last is None:
        return ()
    names = {one.unit: one.name for one in (*last.instances, *bundle.instances)}
    idle = {one.unit for one in units if one.action == "start"}
    stopped_first = {one.unit for one in units if one.action == "stop"}
    up = {one.name for one in last.instances if one.unit not in idle - stopped_first}
    proxy_down = NGINX_UNIT in idle
    ways = [
        way
        for way in ways_in(bundle, last)
        if any(name in up for name in way.before) and not (way.routed and proxy_down)
    ]
    play = _Play(ways, up)
    for change in units:
        if change.unit in names:
            _act(play, change, names[change.unit], start_seconds.get(change.unit))
    found = sorted((*play.ended, *play.open.values()), key=lambda one: one.way.name)
    return tuple(
        Gap(
            one.way.name,
            one.down,
            one.why,
            None if one.seconds is None or one.way.name in play.open else round(one.seconds, 1),
        )
        for one in found
    )


def ways_in(bundle: Bundle, last: Bundle) -> list[WayIn]:
    """Those of the last bundle that the wanted one has too and that have no backup elsewhere."""
    routes, before = _routes(bundle), _routes(last)
    labels = bundle.nginx.paths if bundle.nginx else {}
    backed = set(bundle.nginx.with_backup) if bundle.nginx else set()
    found = [
        WayIn(labels.get(name, name), True, before[name], routes[name])
        for name in sorted(routes)
        if name in before and name not in backed
    ]
    routed = {name for members in routes.values() for name in members}
    had = {one.name for one in last.instances}
    found += [
        WayIn(one.name, False, (one.name,), (one.name,))
        for one in bundle.instances
        if one.name not in routed and one.name in had
    ]
    return found


def _act(play: _Play, change: UnitChange, name: str, seconds: float | None) -> None:
    if change.action in ("stop", "restart"):
        serving = [way for way in play.ways if name in way.members and play.serving(way)]
        play.up.discard(name)
        for way in serving:
            play.begin(way, _stopped(way, name, change))
    if change.action in ("start", "restart"):
        play.started(name, seconds)


def _stopped(way: WayIn, name: str, change: UnitChange) -> str:
    if name not in way.wanted:
        return _replaced(way)
    others = [one for one in way.wanted if one != name]
    act = "is restarted" if change.action == "restart" else "is stopped"
    if not way.routed:
        return f"it {act}: {change.why}"
    if not others:
        return f"its only replica {act}: {change.why}"
    verb = "does" if len(others) == 1 else "do"
    return f"{name} {act} ({change.why}) while {_and(others)} {verb} not run"


def _replaced(way: WayIn) -> str:
    """Why nobody is left when the last of those stops that are not wanted any more."""
    leaving = [name for name in way.before if name not in way.wanted]
    verb = "leaves" if len(leaving) == 1 else "leave"
    runs = "does" if len(way.wanted) == 1 else "do"
    return f"{_and(leaving)} {verb}, {_and(way.wanted)} {runs} not run yet"


def _routes(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    """The instances behind each route."""
    found: dict[str, list[str]] = {}
    for one in bundle.nginx.servers if bundle.nginx else ():
        found.setdefault(one.route, []).append(one.instance)
    return {name: tuple(sorted(set(members))) for name, members in found.items()}


def _and(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
