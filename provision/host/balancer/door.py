"""The door to the nginx that runs: does it, let it read its files again, who are its workers.

On a host that is nginx.service. Where there is no systemd (a test with an nginx of its own) hand a
Door of your own to take_out, bring_in and level: one whose reload sends SIGHUP to the master.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .. import systemd
from ..facts import Listener
from ..names import NGINX_UNIT
from .build import build

PROC = Path("/proc")


class Door(Protocol):
    """What the balancer asks of a running nginx."""

    def running(self) -> bool:
        """Whether it runs; where it does not, its files are read when it starts."""

    def reload(self) -> None:
        """Let it read its files again; ProvisionError where it says at once that it will not."""

    def master(self) -> int | None:
        """The process that starts the workers, None when that is not known."""

    def error_log(self) -> Path:
        """Where it says what it does not like."""

    def owns(self, listener: Listener) -> bool:
        """Whether a listening socket is held by it."""


class Service:
    """nginx.service of this host."""

    def running(self) -> bool:
        return systemd.booted() and systemd.status(NGINX_UNIT).running

    def reload(self) -> None:
        systemd.reload(NGINX_UNIT)

    def master(self) -> int | None:
        return systemd.status(NGINX_UNIT).main_pid

    def error_log(self) -> Path:
        return Path(build().error_log)

    def owns(self, listener: Listener) -> bool:
        return listener.unit == NGINX_UNIT


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that answers requests. leaving: it takes no new connections any more."""

    pid: int
    started: int  # clock ticks since boot: tells it from a later process with its pid
    leaving: bool


def workers_of(master: int, proc: Path = PROC) -> tuple[Worker, ...]:
    """The workers of an nginx by pid, none where it is gone or has one process only.

    nginx renames its processes: a worker that was told to quit first becomes `nginx: worker
    process is shutting down`, then closes its listening sockets and its idle connections, without
    accepting in between (ngx_worker_process_cycle, src/os/unix/ngx_process_cycle.c).
    """
    found: list[Worker] = []
    for folder in proc.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            stat = (folder / "stat").read_text("utf-8", "replace")
            if parent_and_start(stat)[0] != master:
                continue
            title = (folder / "cmdline").read_text("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if "worker process" in title:
            _, started = parent_and_start(stat)
            found.append(Worker(int(folder.name), started, "is shutting down" in title))
    return tuple(sorted(found, key=lambda one: one.pid))


def parent_and_start(stat: str) -> tuple[int, int]:
    """The parent's pid and the start (clock ticks since boot) of a /proc/PID/stat (proc(5)).

    The name in brackets may hold anything, also brackets and blanks.
    """
    words = stat.rpartition(")")[2].split()
    return int(words[1]), int(words[19])


def started_at(pid: int, proc: Path = PROC) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = (proc / str(pid) / "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    state = stat.rpartition(")")[2].split()[0]
    return None if state in ("Z", "X") else parent_and_start(stat)[1]
