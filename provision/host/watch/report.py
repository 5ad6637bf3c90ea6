"""What the watch tells: the health files for nginx, the record for `provision status`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping

from ..errors import ProvisionError
from ..files import Files
from .balance import reason_of
from .health import Health, health_of, write_health
from .judge import Judgement
from .record import State, Watched, WatchRecord, load_watch, write_record
from .wanted import Wanted


class Report:
    """Files that are written when they say something new, and again when that failed."""

    def __init__(self, files: Files, say: Callable[[str], None]) -> None:
        self._files = files
        self._say = say
        self._health: Health | None = None
        self._record: WatchRecord | None = None
        self._failed = ""

    def write(
        self,
        wanted: Wanted,
        judged: Mapping[str, Judgement],
        held: Collection[str],
        kept: Collection[str],
    ) -> None:
        """Nothing is written before everybody was looked at once: nothing is known before."""
        if any(
            one.last is None and not one.proven and name not in held for name, one in judged.items()
        ):
            return
        record = WatchRecord(
            WatchRecord.VERSION,
            os.getpid(),
            {name: watched(one, name in held, name in kept) for name, one in judged.items()},
        )
        try:
            self._record = write_record(
                self._files, record, self._record or load_watch(self._files)
            )
            if wanted.nginx is not None:
                up = {name for name, one in judged.items() if one.up and name not in held}
                health = health_of(wanted.nginx, up)
                if health != self._health:
                    write_health(self._files, health, self._health)
                    self._health = health
                    self._say(f"health: {in_words(health)}")
        except (OSError, ProvisionError) as error:
            if str(error) != self._failed:
                self._say(f"health and record cannot be written: {error}")
            self._failed = str(error)
        else:
            self._failed = ""


def watched(judged: Judgement, held: bool, kept: bool) -> Watched:
    """One instance in the record."""
    if held:
        return Watched("waiting", why="an apply is at work on it", since=judged.since)
    last = judged.last
    failing = last is not None and not last.alive
    why = reason_of(judged) if failing or judged.out else (last.why if last else "")
    return Watched(_state(judged, kept), judged.busy, judged.since, why, judged.token_seconds)


def _state(judged: Judgement, kept: bool) -> State:
    if kept:
        return "kept"
    if judged.out:
        return "out"
    return "in" if judged.last or judged.proven else "waiting"


def in_words(health: Health) -> str:
    """`ok`, `degraded (chat unavailable)`."""
    bad = [f"{name} {status}" for name, status in health.routes.items() if status != "ok"]
    return f"{health.status} ({', '.join(bad)})" if bad else health.status
