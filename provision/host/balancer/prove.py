"""Proof after a reload: the workers that answer run the files on disk, and hold the listeners.

A reload says nothing about that. Where another process holds a port, `nginx -t` is content and the
reload keeps the old configuration in silence (nginx 1.22, measured); and the old workers go on
accepting until the new ones are up.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

from ..bundle import Nginx
from ..errors import ProvisionError, fail
from ..names import NGINX_UNIT
from ..probe import ask
from ..sockets import clashes, listeners, split_listen
from .door import Door, Service, Worker, workers_of

PROOF_SECONDS = 20  # new workers answer within milliseconds; a loaded host takes seconds
_IN_A_ROW = 3  # answers with our mark, each on a new connection
_PAUSE = 0.05
_LOG_BYTES = 1 << 16  # of the error log are looked at


@dataclass(frozen=True, slots=True)
class Since:
    """How things were before a reload, which keeps the master: its pid, the workers that accepted,
    the error log's size."""

    master: int | None = None
    workers: tuple[Worker, ...] = ()
    log_bytes: int = 0


def before_reload(door: Door) -> Since:
    """To be handed to prove() after the reload."""
    master = door.master()
    return Since(master, _accepting(master) or (), _size(door))


def prove(
    nginx: Nginx, mark: str | None = None, door: Door | None = None, since: Since | None = None
) -> None:
    """Wait until only new workers accept, answer with the mark and hold the ports.

    mark None: any right answer to the health probe will do. ProvisionError `nginx-not-ours` says
    what is wrong with the last lines of nginx's error log.
    """
    door = door or Service()
    since = since or Since(door.master())
    deadline = time.monotonic() + PROOF_SECONDS
    while (why := _refuted(nginx, mark, since)) is not None:
        said = _refusal(door, since)
        if said or time.monotonic() > deadline:
            raise _not_ours(f"nginx does not serve the new configuration: {why}", said, door, since)
        time.sleep(_PAUSE)
    while missing := [one for one in nginx.listens if not held_by_nginx(one, door)]:
        if time.monotonic() > deadline:
            raise _not_ours(f"nginx does not listen on {', '.join(missing)}", "", door, since)
        time.sleep(_PAUSE)


def serves(nginx: Nginx, mark: str | None) -> bool:
    """Whether the workers answer with a mark now, several times in a row."""
    return _wrong_answer(nginx, mark) is None


def held_by_nginx(listen: str, door: Door | None = None) -> bool:
    """Whether a process of nginx listens there (without a door: one of nginx.service)."""
    address, port = split_listen(listen)
    return any(
        one.port == port
        and (door.owns(one) if door else one.unit == NGINX_UNIT)
        and clashes(address, one)
        for one in listeners()
    )


def last_errors(door: Door | None = None, since: int = 0, lines: int = 5) -> str:
    """The end of nginx's error log: a reload that fails says so only there."""
    return "\n".join(_grave(door or Service(), since)[-lines:])


def _refuted(nginx: Nginx, mark: str | None, since: Since) -> str | None:
    """Why it cannot be said yet that the new workers are the only ones; None when it can."""
    before = _accepting(since.master)
    if before is not None:
        if left := [one for one in before if one in since.workers]:
            return f"{len(left)} of its old workers still take requests"
        if not before:
            return "it has no workers"
    if (why := _wrong_answer(nginx, mark)) is not None:
        return why
    if _accepting(since.master) != before:
        return "its workers are changing"
    return None


def _wrong_answer(nginx: Nginx, mark: str | None) -> str | None:
    """Why the workers that answer are not those with the mark; None when they are."""
    if nginx.health is None:
        return None
    probe = nginx.health
    if mark is not None:
        probe = dataclasses.replace(probe, body_has=mark)
    for _ in range(_IN_A_ROW):
        outcome = ask(probe)
        if not outcome.ok:
            return outcome.why
    return None


def _accepting(master: int | None) -> tuple[Worker, ...] | None:
    """The workers that take new connections; None where there is no way to tell."""
    # With `master_process off;` one process does it all. Otherwise there are workers at any time,
    # old or new, so nobody is overlooked here.
    found = workers_of(master) if master else ()
    return tuple(one for one in found if not one.leaving) if found else None


def _refusal(door: Door, since: Since) -> str:
    """What the master itself said against the new configuration, once it has given up.

    Failures of bind() alone do not count: it tries five times, half a second apart
    (ngx_open_listening_sockets), and says `still could not bind()` in the end.
    """
    own = [
        line
        for line in _grave(door, since.log_bytes)
        if "[emerg]" in line and f" {since.master}#" in line and " bind() to " not in line
    ]
    return "\n".join(_grave(door, since.log_bytes)[-5:]) if own else ""


def _not_ours(message: str, said: str, door: Door, since: Since) -> ProvisionError:
    said = said or last_errors(door, since.log_bytes)
    return fail("nginx-not-ours", f"{message}\n{said}" if said else message)


def _grave(door: Door, since: int) -> list[str]:
    """The grave lines of the error log after its first `since` bytes."""
    try:
        with door.error_log().open("rb") as log:
            size = log.seek(0, 2)
            # A log that is shorter than it was has been rotated: all of it is new.
            log.seek(max(since if since <= size else 0, size - _LOG_BYTES))
            text = log.read().decode("utf-8", "replace")
    except (OSError, ProvisionError):
        return []
    return [one for one in text.splitlines() if "[emerg]" in one or "[crit]" in one]


def _size(door: Door) -> int:
    try:
        return door.error_log().stat().st_size
    except (OSError, ProvisionError):
        return 0
