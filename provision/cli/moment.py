"""Times for people: when something was, and how long something takes."""

from __future__ import annotations

import time

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def when(at: int | None) -> str:
    """Seconds of the wall clock as local time: `2026-11-21 14:02`; empty where it is not known."""
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def lasting(seconds: float) -> str:
    """`0.4 s`, `41 s`, `2 min`, `3 h`, `5 days`: no finer than anybody needs."""
    if seconds < 1:
        return f"{seconds:.1f} s"
    if round(seconds) < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} days"
