"""A door to an nginx that a test started itself: SIGHUP to its master instead of systemd."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from provision.host.balancer.door import workers_of
from provision.host.facts import Listener


@dataclass
class HangUp:
    """pid: of the master, as nginx_bed.running yields it. log: its error log.

    before: called ahead of every signal, for tests that kill or break something just there.
    """

    pid: int
    log: Path
    before: Callable[[], None] = lambda: None
    reloads: list[int] = field(default_factory=list)

    def running(self) -> bool:
        return Path("/proc", str(self.pid)).exists()

    def reload(self) -> None:
        self.before()
        self.reloads.append(self.pid)
        os.kill(self.pid, signal.SIGHUP)

    def master(self) -> int | None:
        return self.pid

    def error_log(self) -> Path:
        return self.log

    def owns(self, listener: Listener) -> bool:
        own = {self.pid, *(one.pid for one in workers_of(self.pid))}
        return listener.pid in own
