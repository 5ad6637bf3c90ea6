"""watch: keeps instances that serve in the balancer and those that do not out of it.

One loop: signs of life in, judgements, switches of the balancer, health files and a record out. It
ends at SIGTERM, and by itself when another version of provision was installed; systemd starts it
again. Nothing that goes wrong ends it: it is said once and tried again in the next round.
"""

from __future__ import annotations

import dataclasses
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable

from ..balancer.door import Door
from ..balancer.upstreams import load_holds
from ..errors import ProvisionError
from ..files import Files
from ..transaction.state import AGENT_FOLDER, STATE, load_state
from .balance import Balance
from .health import remove_health
from .judge import Judgement, Sign, judge, wants_restart
from .notify import notify
from .report import Report
from .restart import restart
from .rounds import Rounds, Seen
from .wanted import Wanted, wanted_of

AGENT = f"{AGENT_FOLDER}/host.pyz"
_TICK_SECONDS = 0.25  # a switch of an apply and a new State are noticed after so long
_ALIVE_SECONDS = 10.0  # between two words to systemd's watchdog


def watch(files: Files) -> None:
    """Watch until SIGTERM or a new version of provision; the verb of provision-watch.service."""
    ended = threading.Event()

    def end(*_: object) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    agent = files.look(AGENT)

    def renewed() -> bool:
        return files.look(AGENT) != agent

    one = Watch(files)
    one.run(lambda: ended.is_set() or renewed())
    if ended.is_set():
        remove_health(files)  # nobody keeps it true any more
    else:
        say("another version of provision was installed: starting anew")


def say(text: str) -> None:
    """A line in the journal."""
    print(text, file=sys.stderr, flush=True)


class Watch:
    """The state of one run. door: how nginx is reloaded where that is not nginx.service."""

    def __init__(self, files: Files, door: Door | None = None) -> None:
        self.files = files
        self.wanted = Wanted()
        self.judged: dict[str, Judgement] = {}
        self._rounds: dict[str, Rounds] = {}
        self._seen: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self._held: frozenset[str] = frozenset()  # out of the balancer by an apply
        self._ours: dict[str, float] = {}  # out by a watch, since when
        self._stamp: tuple[int, int, int] | None = None
        self._balance = Balance(files, say, door)
        self._report = Report(files, say)
        self._told = 0.0

    def run(self, ended: Callable[[], bool]) -> None:
        """Watch until `ended` says so; asked a few times a second."""
        try:
            self._mark_held()
            self._read_state()
            notify("READY=1")
            self._balance.level(self.wanted)
            while not ended():
                self._step()
        finally:
            for one in self._rounds.values():
                one.end()

    def _step(self) -> None:
        self._read_state()
        self._mark_held()
        self._listen()
        for name, one in self._rounds.items():
            late = one.overdue(time.monotonic())
            if late:
                self._judge(name, late)
        self._balance.switch(self.wanted, self.judged, self._ours, self._held)
        self._restart()
        self._report.write(self.wanted, self.judged, self._held, self._balance.kept)
        self._tell_systemd()

    def _read_state(self) -> None:
        """Take up what was applied, whenever it was written anew."""
        stamp = self._stamp_of_state()
        if stamp == self._stamp:
            return
        try:
            wanted = wanted_of(load_state(self.files))
        except ProvisionError as error:
            say(f"{STATE} cannot be read, the last one holds: {error}")
            wanted = self.wanted
        self._stamp = stamp
        if wanted != self.wanted:
            self._take_up(wanted)

    def _take_up(self, wanted: Wanted) -> None:
        """End the rounds of instances that are gone or changed, begin those that are new."""
        before, self.wanted = self.wanted, wanted
        for name in sorted(before.instances):
            same = before.instances[name] == wanted.instances.get(name)
            if not same or before.settings != wanted.settings:
                self._rounds.pop(name).end()
            if name not in wanted.instances:
                self.judged.pop(name, None)
        for name, instance in wanted.instances.items():
            if name in self._rounds:
                continue
            if name not in self.judged:
                # What an earlier run of the watch took out stays out until it gives tokens.
                out, since = name in self._ours, self._ours.get(name, _now())
                self.judged[name] = Judgement(out, since=since)
            one = Rounds(instance, wanted.settings, self.files, self._seen, self._is_out)
            self._rounds[name] = one
            one.start()
        detection = wanted.settings.detection_seconds
        say(f"watching {len(wanted.instances)} instances, out after {detection:g} s at the latest")

    def _mark_held(self) -> None:
        """What an apply is at work on is not judged; afterwards its judgement begins anew."""
        holds = load_holds(self.files).held
        held = frozenset(one.instance for one in holds if one.who == "apply")
        self._ours = {one.instance: one.since for one in holds if one.who == "watch"}
        for name in (self._held - held) & self.judged.keys():
            # Apply lets nobody in who gave no token.
            out = name in self._ours
            self.judged[name] = Judgement(out, proven=not out, since=_now())
        self._held = held

    def _listen(self) -> None:
        """Judge by all signs that have come, waiting a tick for the first."""
        wait = _TICK_SECONDS
        while True:
            try:
                seen = self._seen.get(timeout=wait) if wait else self._seen.get_nowait()
            except queue.Empty:
                return
            wait = 0.0
            name = seen.thread.instance.name
            if self._rounds.get(name) is seen.thread:
                seen.thread.heard = time.monotonic()
                self._judge(name, seen.sign)

    def _judge(self, name: str, sign: Sign) -> None:
        if name in self._held:
            return
        before = self.judged[name]
        after = judge(before, sign, self.wanted.settings, _now())
        self.judged[name] = after
        if after.out and not before.out:
            say(f"{name}: {after.failures} rounds without a sign of life: {sign.why}")
        elif before.out and not after.out:
            say(f"{name}: gives tokens again, {after.since - before.since:.0f} s after it did not")
        elif not sign.alive and before.failures == 0 and not before.out:
            say(f"{name}: no sign of life: {sign.why}")

    def _restart(self) -> None:
        for name, judged in self.judged.items():
            if name in self._held or not wants_restart(judged, self.wanted.settings, _now()):
                continue
            said = restart(self.files, self.wanted.instances[name].unit)
            say(f"{name}: no token for {_now() - judged.since:.0f} s: {said}")
            self.judged[name] = dataclasses.replace(judged, restarted=_now())

    def _is_out(self, name: str) -> bool:
        """Asked by the threads of the rounds."""
        judged = self.judged.get(name)
        return judged is not None and judged.out

    def _stamp_of_state(self) -> tuple[int, int, int] | None:
        try:
            status = self.files.at(STATE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _tell_systemd(self) -> None:
        now = time.monotonic()
        if now - self._told < _ALIVE_SECONDS:
            return
        self._told = now
        out = sorted(name for name, one in self.judged.items() if one.out)
        said = f"{len(self.judged)} instances, {', '.join(out) or 'none'} without a sign of life"
        notify(f"WATCHDOG=1\nSTATUS={said}")


def _now() -> float:
    """Seconds of CLOCK_BOOTTIME, as in the holds: the same for every process, never set back."""
    return round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)
