"""Which instances are to leave the balancer and which come back. Pure.

The last server of a route stays, whatever is thought of it: taken out, it would turn every request
into an error, also those that it might have answered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..bundle import Nginx
from .health import members_by_route
from .judge import Judgement, Kind

# Who leaves first when not all may: the last one that stays is the likeliest to serve.
_ORDER: Mapping[Kind | None, int] = {"dead": 0, "starting": 1, "hung": 2, "wrong": 3}


@dataclass(frozen=True, slots=True)
class Switch:
    """back: to be brought in. leave: to be taken out. kept: judged out, but the last of a route."""

    back: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def switch_of(
    nginx: Nginx,
    judged: Mapping[str, Judgement],
    ours: Collection[str],
    others: Collection[str],
) -> Switch:
    """What differs from what is judged. ours: held out by watch; others: held out by an apply.

    Held instances that are not judged at all (no longer in the plan) come back, too.
    """
    known = {server.instance for server in nginx.servers}
    back = {name for name in ours if name not in known}
    back |= {name for name in ours if name in judged and not judged[name].out}
    away = (set(ours) - back) | set(others)
    leave: list[str] = []
    kept: list[str] = []
    wanted = [name for name, one in judged.items() if one.out and name in known]
    for name in sorted(wanted, key=lambda one: (_rank(judged[one]), one)):
        if name in ours or name in others:
            continue
        if _may_leave(nginx, name, away):
            leave.append(name)
            away.add(name)
        else:
            kept.append(name)
    return Switch(tuple(sorted(back)), tuple(sorted(leave)), tuple(sorted(kept)))


def _may_leave(nginx: Nginx, name: str, away: Collection[str]) -> bool:
    """Whether each of its routes still leads to somebody without it."""
    for route, members in members_by_route(nginx).items():
        if name not in members or route in nginx.with_backup:
            continue
        if all(one == name or one in away for one in members):
            return False
    return True


def _rank(judged: Judgement) -> int:
    return _ORDER.get(judged.last.kind if judged.last else None, len(_ORDER))
