"""Who keeps which instance out of the balancer: the document /run/provision/balancer.json."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from ..document import dumps, loads
from ..errors import Exit, ProvisionError, fail
from ..files import Files, needs_root
from ..transaction.lock import holder_in
from .door import started_at

HOLDS = "/run/provision/balancer.json"
LOCK = "/run/provision/balancer.lock"  # held for one switch only, unlike the lock of a run
_LOCK_SECONDS = 60  # longer than one switch takes where nothing hangs
_LOCK_PAUSE = 0.05

Holder = Literal["apply", "watch"]


@dataclass(frozen=True, slots=True)
class Held:
    """An instance that is kept out of the balancer. since: seconds of CLOCK_BOOTTIME.

    started: when the process `pid` started, clock ticks since boot; a pid is given again.
    """

    instance: str
    who: Holder
    why: str
    since: float
    pid: int  # of the apply; its holds end with it
    started: int | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """ports: where an instance answers now, while its line already names another port.

    past: ports that were noted and that a line may still carry. unproven: a switch began and was
    not seen to its end; the next one reloads, whatever the workers answer.
    """

    VERSION: ClassVar[int] = 1
    version: int
    held: tuple[Held, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    past: Mapping[str, int] = field(default_factory=dict)
    unproven: bool = False

    def holding(self, instance: str) -> tuple[Held, ...]:
        """Everybody who keeps an instance out."""
        return tuple(one for one in self.held if one.instance == instance)

    def with_holds(self, instances: Iterable[str], who: Holder, why: str) -> Holds:
        """With these held by this process; what it held already stays held since then."""
        names = sorted(set(instances))
        since = {one.instance: one.since for one in self.held if one.who == who}
        now, pid = time.clock_gettime(time.CLOCK_BOOTTIME), os.getpid()
        new = [
            Held(name, who, why, since.get(name, round(now, 3)), pid, started_at(pid))
            for name in names
        ]
        kept = [one for one in self.held if one.who != who or one.instance not in names]
        held = sorted((*kept, *new), key=lambda one: (one.instance, one.who))
        return dataclasses.replace(self, held=tuple(held))

    def without_holds(self, who: Holder, instances: Iterable[str] | None = None) -> Holds:
        """Without this holder's holds of these instances (None: of all).

        With the holds of apply go its port notes: it is apply that moves ports.
        """
        names = None if instances is None else set(instances)

        def ends(instance: str) -> bool:
            return names is None or instance in names

        held = tuple(one for one in self.held if one.who != who or not ends(one.instance))
        if who != "apply":
            return dataclasses.replace(self, held=held)
        gone = {name: port for name, port in self.ports.items() if ends(name)}
        ports = {name: port for name, port in self.ports.items() if name not in gone}
        return dataclasses.replace(self, held=held, ports=ports, past={**self.past, **gone})


def load_holds(files: Files) -> Holds:
    """Who is kept out now. Holds of an apply that is dead do not count; its port notes do.

    A document that cannot be read counts as none: it lies in /run, who is not well is taken out
    again by watch, and nobody should have to mend it by hand.
    """
    text = files.read(HOLDS)
    if text is None:
        return Holds(1)
    try:
        holds = loads(Holds, text, HOLDS)
    except ProvisionError:
        return Holds(1, unproven=True)
    return dataclasses.replace(holds, held=tuple(one for one in holds.held if counts(one)))


def counts(held: Held) -> bool:
    """Whether a hold still holds: that of watch until it is ended, that of apply while it lives."""
    if held.who != "apply":
        return True
    started = started_at(held.pid)
    return started is not None and held.started in (None, started)


def save_holds(files: Files, holds: Holds) -> None:
    """Note them, readable by all."""
    files.write(HOLDS, dumps(holds).encode(), 0o644)


@contextlib.contextmanager
def switching(files: Files, seconds: float = _LOCK_SECONDS) -> Iterator[None]:
    """One switch at a time; ProvisionError `balancer-locked` when the lock stays taken so long."""
    deadline = time.monotonic() + seconds
    while (descriptor := _take(files)) is None:
        if time.monotonic() > deadline:
            raise fail(
                "balancer-locked",
                f"{LOCK}: another process has been switching nginx for {seconds:g} s",
                f"see which one: fuser -v {LOCK}",
                exit_code=Exit.LOCKED,
            )
        time.sleep(_LOCK_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def is_switching(files: Files) -> bool:
    """Whether a switch is under way. Asked of the kernel: a lock of our own could hold one up."""
    try:
        inode = files.at(LOCK).stat().st_ino
        return holder_in(Path("/proc/locks").read_text(), inode) is not None
    except OSError:
        return False  # there was none yet


def _take(files: Files) -> int | None:
    """The lock's descriptor, None while somebody else has it."""
    path = files.at(LOCK)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except PermissionError:
        raise needs_root(f"{LOCK} may not be written by this user") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # `remove` takes the folder away: a lock on a file without a name holds nothing.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
