"""A thread an instance, looking at it round after round: nobody waits for another one's hang."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..balancer.upstreams import load_holds
from ..bundle import Instance, WatchSettings
from ..errors import ProvisionError
from ..files import Files
from .judge import Sign, next_round
from .look import Looker

_GRACE_SECONDS = 1.0  # a loaded host wakes threads late


@dataclass(frozen=True, slots=True)
class Seen:
    """What one round saw of an instance. thread tells it from one that was ended meanwhile."""

    thread: Rounds
    sign: Sign


@dataclass(eq=False)
class Rounds:
    """The rounds of one instance, from start() until end(). Signs come through `seen`."""

    instance: Instance
    settings: WatchSettings
    files: Files
    seen: queue.SimpleQueue[Seen]
    is_out: Callable[[str], bool]
    heard: float = 0.0  # when its last sign came, seconds of time.monotonic()
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin with the first round at once. A daemon: the program's end waits for no probe."""
        self.heard = time.monotonic()
        name = f"watch-{self.instance.name}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def end(self) -> None:
        """Let it come to its end; what it still says is not heard."""
        self._ended.set()

    def overdue(self, now: float) -> Sign | None:
        """A sign in place of a round that does not end: an answer that comes drop by drop."""
        allowed = self.settings.interval_seconds + self.settings.timeout_seconds + _GRACE_SECONDS
        if now - self.heard <= allowed:
            return None
        self.heard = now
        return Sign("hung", f"its probe did not end within {allowed:.0f} s")

    def _run(self) -> None:
        looker = Looker(self.instance, self.files, self.settings.timeout_seconds)
        while not self._ended.is_set():
            began = time.monotonic()
            self.seen.put(Seen(self, self._look(looker)))
            ended = time.monotonic()
            then = next_round(began, ended, self.settings.interval_seconds)
            self._ended.wait(then - ended)

    def _look(self, looker: Looker) -> Sign:
        name = self.instance.name
        try:
            port = load_holds(self.files).ports.get(name)
            return looker.look(out=self.is_out(name), port=port)
        except (ProvisionError, OSError) as error:  # ours, not the instance's: it is left in
            return Sign("busy", f"cannot be looked at: {error}")
