"""One round's look at one instance: is there a sign of life, at most timeout_seconds long.

Under load it is asked for nothing but its counters: when one grows within a moment, it works. Only
where none does (idle, hung, an engine without counters) it is asked for a token, and when that does
not come in time, counters or CPU time tell a busy instance from a hung one.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .. import systemd
from ..bundle import Instance, InstanceRuntime, Probe
from ..errors import ProvisionError
from ..files import Files
from ..probe import Outcome, ask, fetch
from ..runtime import load_runtime
from ..secrets import read_bearer
from ..systemd import UnitStatus
from .counters import cpu_seconds, grew, sums, worked
from .judge import Sign

_BUSY = (429, 503)
_REFUSED = (401, 403)
_COUNTERS = 0.15  # of the time of a round: one look at the counters
_MOMENT = 0.1  # of it, between two of them
_LONGEST_MOMENT = 1.0
_SLOW = 0.8  # of a probe's time: an answer that failed after so long did not come in time
_SHORTEST = 0.1  # seconds for a probe, however little is left


@dataclass(frozen=True, slots=True)
class Looker:
    """Looks at one instance, one round after the other.

    CPU time is counted on the live host only: a scratch root has no units.
    """

    instance: Instance
    files: Files
    timeout_seconds: float

    def look(self, *, out: bool = False, port: int | None = None) -> Sign:
        """What one round sees. out: only a token counts. port: where it answers for the moment."""
        ends = time.monotonic() + self.timeout_seconds
        runtime = _moved(self._runtime(), port)
        counters = self._counters_probe(runtime)
        before = self._read(counters, ends)
        if not out and counters and before and self._moves(counters, before, ends):
            return Sign("progress")
        probe = runtime.token or runtime.ready
        if probe is None:
            return Sign("busy", "its engine cannot be asked for a token")
        began, cpu = time.monotonic(), None if counters else self._cpu()
        left = ends - began - (_COUNTERS * self.timeout_seconds if before else 0.0)
        outcome = ask(_within(probe, left), self._bearer(probe))
        if outcome.ok:
            return Sign("token", token_seconds=outcome.seconds)
        if outcome.status is not None:
            return self._answered(outcome)
        if outcome.seconds < _SLOW * left:
            return self._closed(outcome)
        works = (
            bool(before) and grew(before or {}, self._read(counters, ends) or {})
            if counters
            else worked(cpu, self._cpu(), time.monotonic() - began)
        )
        if works:
            return Sign("busy", f"works, but gave no token within {outcome.seconds:.1f} s")
        return self._silent(outcome)

    def _answered(self, outcome: Outcome) -> Sign:
        """An answer that is no token."""
        why = _without_url(outcome.why)
        if outcome.status in _REFUSED:  # the key was changed on one side: no reason to eject it
            return Sign("busy", f"refuses the key of the probe: {why}")
        if outcome.status in _BUSY:
            unit = self._unit()
            if unit and unit.active == "activating":
                return Sign("starting", f"is starting: {why}")
            return Sign("busy", why)
        return Sign("wrong", why)

    def _closed(self, outcome: Outcome) -> Sign:
        """Refused, or the connection was closed without an answer."""
        unit, why = self._unit(), _without_url(outcome.why)
        if unit and unit.active == "activating":
            return Sign("starting", f"is starting: {why}")
        return Sign("dead", f"{why}, its unit is {unit.active}" if unit else why)

    def _silent(self, outcome: Outcome) -> Sign:
        unit = self._unit()
        if unit and unit.active == "activating":
            return Sign("starting", f"is starting, no token within {outcome.seconds:.1f} s")
        return Sign("hung", f"no token within {outcome.seconds:.1f} s, and it does not work")

    def _moves(self, counters: Probe, before: Mapping[str, float], ends: float) -> bool:
        """Whether a counter grows within a moment; not waited for where nothing is running.

        Two looks in one round, and never one against the round before: a token of our own, or one
        of just before it hung, would count as progress.
        """
        if before.get(self.instance.drain.metric or "") == 0:
            return False
        time.sleep(min(_LONGEST_MOMENT, _MOMENT * self.timeout_seconds))
        after = self._read(counters, ends) or {}
        names = self.instance.drain.progress
        return grew({name: before[name] for name in names if name in before}, after)

    def _read(self, counters: Probe | None, ends: float) -> dict[str, float] | None:
        """The counters and the number of requests at work; None where they do not come."""
        if counters is None:
            return None
        seconds = min(_COUNTERS * self.timeout_seconds, ends - time.monotonic())
        text = fetch(_within(counters, seconds), self._bearer(counters))
        drain = self.instance.drain
        return None if text is None else sums(text, (*drain.progress, drain.metric or ""))

    def _counters_probe(self, runtime: InstanceRuntime) -> Probe | None:
        """Where the counters are told, at the port where the instance answers."""
        drain = self.instance.drain
        if drain.idle is None or not drain.progress:
            return None
        here = runtime.token or runtime.ready
        return drain.idle if here is None else _at_port(drain.idle, _port(here.url))

    def _runtime(self) -> InstanceRuntime:
        """As it lies on disk: an apply may have written a new one that is not committed yet."""
        try:
            return load_runtime(self.files, self.instance.name)
        except ProvisionError:
            return self.instance.runtime

    def _bearer(self, probe: Probe) -> str | None:
        """The key of a probe; without one that can be read it is asked without."""
        if probe.bearer is None:
            return None
        try:
            return read_bearer(self.files, probe.bearer)
        except ProvisionError:
            return None

    def _unit(self) -> UnitStatus | None:
        """The unit as systemd sees it; None where there is no systemd, or no answer of it."""
        if not self.files.live or not systemd.booted():
            return None
        try:
            return systemd.status(self.instance.unit)
        except ProvisionError:
            return None

    def _cpu(self) -> float | None:
        unit = self._unit()
        return cpu_seconds(unit.cgroup) if unit else None


def _within(probe: Probe, seconds: float) -> Probe:
    """A probe that ends in time. Its own time-out is for starting; here the round's counts."""
    return dataclasses.replace(probe, timeout_seconds=max(_SHORTEST, seconds))


def _moved(runtime: InstanceRuntime, port: int | None) -> InstanceRuntime:
    """With its probes at another port: until it is restarted it answers at the old one."""
    if port is None:
        return runtime
    return dataclasses.replace(
        runtime,
        ready=_at_port(runtime.ready, port) if runtime.ready else None,
        token=_at_port(runtime.token, port) if runtime.token else None,
    )


def _at_port(probe: Probe, port: int | None) -> Probe:
    if port is None:
        return probe
    return dataclasses.replace(
        probe, url=re.sub(r"(?<=\d):\d+(?=/|$)", f":{port}", probe.url, count=1)
    )


def _port(url: str) -> int | None:
    found = re.match(r"http://[^/]*:(\d+)(?:/|$)", url)
    return int(found[1]) if found else None


def _without_url(why: str) -> str:
    """`http://127.0.0.1:8000/v1/completions: connection refused` -> `connection refused`."""
    return re.sub(r"^http://\S+: ", "", why)
