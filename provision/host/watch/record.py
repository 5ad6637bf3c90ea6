"""/run/provision/watch.json: what the watch thinks of each instance, for `provision status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ..document import dumps, loads
from ..errors import ProvisionError
from ..files import Files

State = Literal["in", "out", "kept", "waiting"]
RECORD = "/run/provision/watch.json"
_DOUBLE = 2.0  # a token that takes twice as long, or half, is worth a new record


@dataclass(frozen=True, slots=True)
class Watched:
    """One instance. state out: taken out by watch. kept: judged out, but in as the last of a route.

    waiting: not looked at yet, or an apply is at work on it. since: seconds of CLOCK_BOOTTIME.
    """

    state: State
    busy: bool = False
    since: float = 0.0
    why: str = ""
    token_seconds: float | None = None  # of its last token


@dataclass(frozen=True, slots=True)
class WatchRecord:
    """pid: of the watch unit that wrote it."""

    VERSION: ClassVar[int] = 1
    version: int
    pid: int
    instances: Mapping[str, Watched] = field(default_factory=dict)


def load_watch(files: Files) -> WatchRecord | None:
    """What was last written; None where nothing is, or nothing that can be read."""
    text = files.read(RECORD)
    if text is None:
        return None
    try:
        return loads(WatchRecord, text, RECORD)
    except ProvisionError:
        return None


def write_record(files: Files, now: WatchRecord, before: WatchRecord | None) -> WatchRecord:
    """Write it if it says something new; what stands there afterwards."""
    if before is not None and _same(now, before):
        return before
    files.write(RECORD, dumps(now).encode(), 0o644)
    return now


def _same(now: WatchRecord, before: WatchRecord) -> bool:
    if now.pid != before.pid or now.instances.keys() != before.instances.keys():
        return False
    return all(_alike(one, before.instances[name]) for name, one in now.instances.items())


def _alike(now: Watched, before: Watched) -> bool:
    """The same but for the time of the last token, which is never twice the same."""
    said = (now.state, now.busy, now.since, now.why)
    if said != (before.state, before.busy, before.since, before.why):
        return False
    one, other = now.token_seconds, before.token_seconds
    if one is None or other is None:
        return one is other
    return max(one, other) <= _DOUBLE * max(min(one, other), 0.05)
