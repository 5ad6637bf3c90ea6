"""Which services an apply would act on, and why: what runs is compared with what is wanted.

Nothing here depends on what this run changes alone: a restart that a failed run never came to
shows again in the next one, because the digest in the live environment is still the old one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from .. import systemd
from ..balancer.loaded import not_loaded
from ..bundle import Artifact, Bundle, GpuSettings
from ..files import Files
from ..names import (
    DRIFT_TIMER,
    GPU_UNIT,
    NGINX_FOLDER,
    NGINX_UNIT,
    SERVICES,
    SYSUSERS,
    TARGET,
    TMPFILES,
    UNITS,
)
from ..report import FileChange, UnitChange
from ..runtime import GPU_FILE
from ..systemd import UnitStatus
from ..unit.nvml import GpuReading, readings
from .instance_changes import instance_changes, parted, running_digest
from .journal import Journal
from .leftovers import folders_in, user_exists
from .state import State

_WATTS = 0.6  # NVML keeps milliwatts, some cards round to whole watts


def unit_changes(
    bundle: Bundle,
    wanted: Mapping[str, Artifact],
    files: Iterable[FileChange],
    state: State | None,
    journal: Journal | None,
) -> tuple[UnitChange, ...]:
    """All service actions in the order in which they are done. Reads the live host."""
    changed = {one.path for one in files}
    dropped = dropped_units(wanted, state, journal)
    names = [one.unit for one in bundle.instances]
    ours = (TARGET, GPU_UNIT, NGINX_UNIT, *SERVICES)
    seen = systemd.statuses([*dropped, *names, *bundle.takeover, *ours])
    again = journal is not None
    instances = instance_changes(bundle, state, seen)
    early, late = parted(_stops(dropped, seen), instances, bundle, state)
    return (
        *early,
        *_takeovers(bundle.takeover, seen),
        *_folders_and_users(bundle, wanted, changed, again),
        *_reload_of_systemd(changed, seen, again),
        *_gpu_settings(bundle.gpu_settings, wanted, changed, seen[GPU_UNIT]),
        *instances,
        *late,
        *_target(wanted, seen[TARGET]),
        *_nginx(bundle, changed, seen[NGINX_UNIT], again),
        *_services(wanted, changed, seen),
    )


def dropped_units(
    wanted: Iterable[str], state: State | None, journal: Journal | None
) -> tuple[str, ...]:
    """Units of which we own files, by the State or by a run cut short, and that are not wanted."""
    owned = [one.path for one in state.owned] if state else []
    owned += [one.path for one in journal.owned] if journal else []
    return tuple(sorted(units_of(owned) - units_of(wanted)))


def units_of(paths: Iterable[str]) -> set[str]:
    """The startable units that paths of ours stand for: instances, the target, GPU settings."""
    found: set[str] = set()
    for path in paths:
        match = re.fullmatch(rf"{UNITS}([^/]+@[^/]+\.service)\.d/[^/]+", path)
        plain = re.fullmatch(rf"{UNITS}([^/@]+\.(?:service|target|timer))", path)
        found |= {one[1] for one in (match, plain) if one}
    return found


def differing_settings(wanted: GpuSettings, now: Mapping[str, GpuReading] | str) -> str | None:
    """Why settings must be made again, None when every GPU reads back as wanted."""
    if isinstance(now, str):
        return f"cannot be read back: {now}"
    for gpu in wanted.gpus:
        reading = now[gpu.uuid]
        if gpu.persistence is not None and reading.persistence != gpu.persistence:
            return f"{gpu.address}: persistence is {_on(reading.persistence)}"
        limit = reading.power_limit_watts
        if gpu.power_limit_watts is not None and (
            limit is None or abs(limit - gpu.power_limit_watts) > _WATTS
        ):
            shown = "unknown" if limit is None else f"{limit:g} W"
            return f"{gpu.address}: power limit is {shown}, not {gpu.power_limit_watts:g} W"
    return None


def _on(value: bool | None) -> str:
    return {True: "on", False: "off", None: "unknown"}[value]


def _stops(dropped: Iterable[str], seen: Mapping[str, UnitStatus]) -> list[UnitChange]:
    return [
        UnitChange(unit, "stop", "no longer wanted") for unit in dropped if not seen[unit].stopped
    ]


def _takeovers(units: Iterable[str], seen: Mapping[str, UnitStatus]) -> list[UnitChange]:
    found: list[UnitChange] = []
    for unit in units:
        if not seen[unit].stopped:
            found.append(UnitChange(unit, "stop", "taken over by provision"))
        if seen[unit].enabled == "enabled":
            found.append(UnitChange(unit, "disable", "taken over by provision"))
    return found


def _folders_and_users(
    bundle: Bundle, wanted: Mapping[str, Artifact], changed: set[str], again: bool
) -> list[UnitChange]:
    found: list[UnitChange] = []
    missing = [name for name in bundle.users if not user_exists(name)]
    if SYSUSERS in wanted and (SYSUSERS in changed or missing or again):
        why = f"user {', '.join(missing)} is missing" if missing else _why(again)
        found.append(UnitChange("systemd-sysusers", "apply", why))
    if TMPFILES in wanted:
        gone = [one for one in folders_in(wanted[TMPFILES].content) if not Path(one).is_dir()]
        if TMPFILES in changed or gone or again:
            why = f"{gone[0]} is missing" if gone else _why(again)
            found.append(UnitChange("systemd-tmpfiles", "apply", why))
    return found


def _why(again: bool) -> str:
    return "a run was cut short" if again else "its file changed"


def _reload_of_systemd(
    changed: set[str], seen: Mapping[str, UnitStatus], again: bool
) -> list[UnitChange]:
    if any(path.startswith(UNITS) for path in changed):
        return [UnitChange("systemd", "daemon-reload", "unit files changed")]
    stale = sorted(name for name, one in seen.items() if one.need_reload)
    if stale:
        return [UnitChange("systemd", "daemon-reload", f"the file of {stale[0]} changed on disk")]
    return [UnitChange("systemd", "daemon-reload", _why(again))] if again else []


def _gpu_settings(
    settings: GpuSettings | None,
    wanted: Mapping[str, Artifact],
    changed: set[str],
    status: UnitStatus,
) -> list[UnitChange]:
    if settings is None or UNITS + GPU_UNIT not in wanted:
        return []
    if changed & {UNITS + GPU_UNIT, GPU_FILE}:
        return [UnitChange(GPU_UNIT, "restart", "settings changed")]
    if not status.running:
        return [UnitChange(GPU_UNIT, "restart", f"is {status.active}")]
    why = differing_settings(settings, readings(tuple(one.uuid for one in settings.gpus)))
    return [UnitChange(GPU_UNIT, "restart", why)] if why else []


def _target(wanted: Iterable[str], status: UnitStatus) -> list[UnitChange]:
    if UNITS + TARGET not in set(wanted) or status.running:
        return []
    return [UnitChange(TARGET, "start", f"is {status.active}")]


def _services(
    wanted: Mapping[str, Artifact], changed: set[str], seen: Mapping[str, UnitStatus]
) -> list[UnitChange]:
    """The watch and the drift timer: what runs is compared, as for the instances."""
    found: list[UnitChange] = []
    for name in SERVICES:
        artifact, status = wanted.get(UNITS + name), seen[name]
        if artifact is None:
            continue
        if not status.running:
            found.append(UnitChange(name, "start", f"is {status.active}"))
        elif other_digest(artifact, status) or (name == DRIFT_TIMER and UNITS + name in changed):
            found.append(UnitChange(name, "restart", "its unit changed"))
    return found


def other_digest(artifact: Artifact, status: UnitStatus) -> bool:
    """Whether a service of ours runs with another PROVISION_DIGEST than its unit names."""
    named = re.search(r"^Environment=PROVISION_DIGEST=([0-9a-f]+)$", artifact.content, re.MULTILINE)
    return named is not None and running_digest(status) != named[1]


def _nginx(bundle: Bundle, changed: set[str], status: UnitStatus, again: bool) -> list[UnitChange]:
    ours = any(path.startswith(NGINX_FOLDER) for path in changed)
    if bundle.nginx is None:
        why = "our configuration is taken away"
        return [UnitChange(NGINX_UNIT, "reload", why)] if ours and status.running else []
    found: list[UnitChange] = []
    if status.enabled == "disabled":
        found.append(UnitChange(NGINX_UNIT, "enable", "would not start at boot"))
    if not status.running:
        return [*found, UnitChange(NGINX_UNIT, "start", f"is {status.active}")]
    if ours or again:
        why = "its configuration changed" if ours else _why(again)
        return [*found, UnitChange(NGINX_UNIT, "reload", why)]
    other = not_loaded(bundle.nginx, Files())
    return [*found, UnitChange(NGINX_UNIT, "reload", other)] if other else found
