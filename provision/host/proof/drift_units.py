"""Drift of units: do they run, are they enabled, does systemd know the files as they are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

from ..files import Files
from ..names import NGINX_UNIT, UNITS
from ..systemd import UnitStatus
from ..transaction.state import State
from ..transaction.unit_changes import units_of
from .drift_report import Drifted
from .drop_ins import UnitFiles, settings_of

_ENABLING = re.compile(rf"{UNITS}[^/]+\.(?:wants|requires)/([^/]+)")
_APPLY = "provision apply HOST.YAML"
DRIFT_UNIT = "provision-drift.service"
# Settings for every service on the host that the distribution brings: not about ours.
_DISTRIBUTION = re.compile(r"/(?:usr/)?lib/systemd/system/(?:service|target|timer)\.d/")


def our_units(state: State) -> tuple[str, ...]:
    """Every unit of ours that can be started, by name: instances, target, watch, timers."""
    paths = [one.path for one in state.owned]
    plain = (re.fullmatch(rf"{UNITS}([^/@]+\.timer)", path) for path in paths)
    timers = {one[1] for one in plain if one}
    return tuple(sorted({one.unit for one in state.bundle.instances} | units_of(paths) | timers))


def units_drift(
    files: Files,
    state: State,
    seen: Mapping[str, UnitStatus],
    read: Mapping[str, UnitFiles],
) -> list[Drifted]:
    """All claims about units. seen, read: what systemd says of them (see drift.units_seen)."""
    items: list[Drifted] = []
    enabled = _enabled(state)
    owned = {one.path for one in state.owned}
    for unit in our_units(state):
        status, made = seen.get(unit), read.get(unit, UnitFiles())
        if status is not None and _told_drift(unit, status):
            status = dataclasses.replace(status, active="inactive")
        if status is not None:
            items += _state(unit, status, made, unit in enabled)
            items += _overridden(files, unit, made, owned)
    if state.bundle.nginx is not None:
        items += _nginx(seen.get(NGINX_UNIT))
    for unit in state.bundle.takeover:
        items += _returned(unit, seen.get(unit))
    return items


def _told_drift(unit: str, status: UnitStatus) -> bool:
    """Whether it is the look for drift itself, which fails when it finds any (exit code 7).

    Were that drift again, it would never end.
    """
    return unit == DRIFT_UNIT and status.active == "failed" and status.result == "exit-code"


def _enabled(state: State) -> set[str]:
    """Units that a link of ours starts with the machine, and all instances."""
    links = (_ENABLING.fullmatch(one.path) for one in state.owned)
    return {one[1] for one in links if one} | {one.unit for one in state.bundle.instances}


def _state(unit: str, status: UnitStatus, made: UnitFiles, wanted: bool) -> list[Drifted]:
    if status.load == "masked":
        hint = f"systemctl unmask {unit}, then {_APPLY}"
        return [Drifted("unit-masked", unit, "loaded", "masked", hint)]
    items: list[Drifted] = []
    if status.need_reload:
        hint = f"systemctl daemon-reload, or {_APPLY}"
        items.append(Drifted("unit-stale", unit, "read again", "changed on disk since", hint))
    resting = made.rests and status.active in ("inactive", "activating")
    if (wanted or status.active == "failed") and not status.running and not resting:
        actual = status.active
        if status.active == "failed" and status.result not in ("", "success"):
            actual = f"failed ({status.result})"
        hint = f"journalctl -u {unit} says why; {_APPLY} starts it"
        items.append(Drifted("unit-down", unit, "active", actual, hint))
    return items


def _overridden(files: Files, unit: str, made: UnitFiles, owned: set[str]) -> list[Drifted]:
    """Files of others that systemd has read for a unit of ours."""
    items: list[Drifted] = []
    if made.fragment and made.fragment not in owned:
        items.append(
            Drifted(
                "unit-overridden",
                unit,
                "the unit file of provision",
                f"{made.fragment} takes its place",
                f"rm {made.fragment}; systemctl daemon-reload",  # revert would take ours, too
            )
        )
    ours = {
        key for path in made.drop_ins if path in owned for key in settings_of(files, path) or ()
    }
    for path in made.drop_ins:
        if path in owned or _DISTRIBUTION.match(path):
            continue
        items.append(
            Drifted(
                "unit-overridden",
                unit,
                "drop-ins of provision alone",
                f"{path} {_sets(settings_of(files, path), ours)}",
                "put it into host.yaml, or take the file away; then systemctl daemon-reload",
            )
        )
    return items


def _sets(keys: Iterable[str] | None, ours: set[str]) -> str:
    """`sets MemoryMax, CPUAffinity (which is ours)`."""
    if keys is None:
        return "is read too"
    words = [f"{key} (which is ours)" if key in ours else key for key in keys]
    return f"sets {', '.join(words)}" if words else "sets nothing"


def _nginx(status: UnitStatus | None) -> list[Drifted]:
    if status is None:
        return []
    items = _state(NGINX_UNIT, status, UnitFiles(), True)
    items = [one for one in items if one.kind != "unit-stale"]  # not our unit file
    if status.enabled == "disabled":
        items.append(
            Drifted("unit-disabled", NGINX_UNIT, "enabled", "disabled", f"{_APPLY} enables it")
        )
    return items


def _returned(unit: str, status: UnitStatus | None) -> list[Drifted]:
    if status is None or status.load in ("not-found", "masked"):
        return []
    words = [] if status.stopped else [status.active]
    words += ["enabled"] if status.enabled == "enabled" else []
    if not words:
        return []
    hint = f"{_APPLY} stops and disables it again"
    return [Drifted("takeover", unit, "stopped and disabled", " and ".join(words), hint)]
