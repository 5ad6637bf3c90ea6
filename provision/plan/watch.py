"""What watches over the host: the watch unit's settings and the drift timer."""

from __future__ import annotations

from provision.host.bundle import WatchSettings
from provision.spec.model import DriftSpec, HostSpec, WatchSpec

from .plan import Drift


def plan_watch(spec: HostSpec) -> WatchSettings | None:
    """How instances are judged; None without a proxy to take them out of, or with `watch: off`."""
    if spec.proxy is None or not isinstance(spec.proxy.watch, WatchSpec):
        return None
    said = spec.proxy.watch
    return WatchSettings(
        interval_seconds=said.interval_seconds,
        timeout_seconds=said.timeout_seconds,
        failures=said.failures,
        successes=said.successes,
        restart_seconds=None if said.restart_seconds == "never" else said.restart_seconds,
    )


def plan_drift(drift: DriftSpec | None) -> Drift | None:
    """The timer, where one is asked for."""
    if drift is None:
        return None
    return Drift(drift.every_minutes, drift.textfile)
