"""In or out of the balancer, from signs of life. Pure: no clock, no programs.

A busy instance is never taken out: what it answers, or that it works, is a sign of life. An
instance that was taken out comes back by tokens alone.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from ..bundle import WatchSettings

# token: it gave one. progress: its counters grew within the round, no token was asked for.
# busy: it said so (503, 429), or works and could not give the token in time.
# dead: nobody listens, or the connection was closed. hung: no answer, and it does not work.
# wrong: it answers, but not with a token. starting: its unit is not up yet.
Kind = Literal["token", "progress", "busy", "dead", "hung", "wrong", "starting"]
ALIVE: frozenset[Kind] = frozenset({"token", "progress", "busy"})
_RESTARTED: frozenset[Kind] = frozenset({"dead", "hung", "wrong"})
_LEAST_PAUSE = 0.1  # of the interval, after a round that took longer than it


@dataclass(frozen=True, slots=True)
class Sign:
    """What one round saw of an instance. token_seconds: how long its token took."""

    kind: Kind
    why: str = ""
    token_seconds: float | None = None

    @property
    def alive(self) -> bool:
        """Whether it is a reason to leave it in."""
        return self.kind in ALIVE


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is thought of one instance. Times are seconds of one clock, whichever.

    out: it is to be out of the balancer. proven: it has shown life since somebody looks at it.
    since: when it was judged in or out. restarted: when its unit was last restarted for this.
    """

    out: bool = False
    proven: bool = False
    failures: int = 0  # rounds in a row without a sign of life
    successes: int = 0  # tokens in a row while it is out
    since: float = 0.0
    last: Sign | None = None
    token_seconds: float | None = None  # of its last token
    restarted: float | None = None

    @property
    def up(self) -> bool:
        """Whether it counts as served: proven, and not to be out."""
        return self.proven and not self.out

    @property
    def busy(self) -> bool:
        """Whether it works on something, as far as the last round could tell."""
        return self.last is not None and self.last.kind in ("progress", "busy")


def judge(before: Judgement, sign: Sign, settings: WatchSettings, now: float) -> Judgement:
    """The judgement after one more sign."""
    seconds = before.token_seconds if sign.token_seconds is None else sign.token_seconds
    seen = dataclasses.replace(before, last=sign, token_seconds=seconds)
    return _outside(seen, sign, settings, now) if before.out else _inside(seen, sign, settings, now)


def wants_restart(judged: Judgement, settings: WatchSettings, now: float) -> bool:
    """Whether its unit is to be restarted: out for long, and not even busy."""
    if settings.restart_seconds is None or not judged.out:
        return False
    if judged.last is None or judged.last.kind not in _RESTARTED:
        return False
    began = judged.since if judged.restarted is None else judged.restarted
    return now - began >= settings.restart_seconds


def next_round(began: float, ended: float, interval: float) -> float:
    """When the next round begins: an interval after the last one began, soon if that was long.

    So a round that fails is over at most interval + timeout after the one before it.
    """
    return max(began + interval, ended + _LEAST_PAUSE * interval)


def _inside(seen: Judgement, sign: Sign, settings: WatchSettings, now: float) -> Judgement:
    if sign.alive:
        return dataclasses.replace(seen, proven=True, failures=0)
    failures = seen.failures + 1
    if failures < settings.failures:
        return dataclasses.replace(seen, failures=failures)
    return dataclasses.replace(
        seen, out=True, failures=failures, successes=0, since=now, restarted=None
    )


def _outside(seen: Judgement, sign: Sign, settings: WatchSettings, now: float) -> Judgement:
    if not sign.alive:
        return dataclasses.replace(seen, failures=seen.failures + 1, successes=0)
    if sign.kind != "token":  # it lives, but did not prove that it serves
        return seen
    successes = seen.successes + 1
    if successes < settings.successes:
        return dataclasses.replace(seen, successes=successes)
    return dataclasses.replace(
        seen, out=False, proven=True, failures=0, successes=0, since=now, restarted=None
    )
