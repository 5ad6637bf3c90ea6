"""What is there now of all that a run may change or make."""

from __future__ import annotations

from collections.abc import Iterable

from .. import systemd
from ..bundle import Bundle
from ..files import Files
from ..names import NGINX_UNIT, SERVICES, TARGET, TMPFILES
from ..unit.nvml import readings
from .changes import View
from .generations import GENERATIONS, OBJECTS
from .journal import UnitWas
from .leftovers import folders_in, user_exists
from .state import FOLDER, Before, GpuBefore, State, UnitBefore


def before_of(view: View, files: Files, more: Iterable[str] = ()) -> Before:
    """Folders, users, services of others and GPU settings as they are. more: further paths."""
    made = {*missing_folders(view, files, more), FOLDER, GENERATIONS, OBJECTS}
    if not files.live:
        return Before(folders=tuple(sorted(made)))
    names = [*view.bundle.takeover, *([NGINX_UNIT] if view.bundle.nginx else [])]
    statuses = systemd.statuses(names)
    units = tuple(
        UnitBefore(name, one.running, one.enabled == "enabled") for name, one in statuses.items()
    )
    missing = tuple(name for name in view.bundle.users if not user_exists(name))
    return Before(units, _gpus(view.bundle), missing, tuple(sorted(made)))


def missing_folders(view: View, files: Files, more: Iterable[str] = ()) -> set[str]:
    """Folders that this run is going to make, by itself or through systemd-tmpfiles."""
    paths = [*(one.path for one in view.writes), *more]
    paths += [f"{FOLDER}/x", f"{GENERATIONS}/x", f"{OBJECTS}/x"]
    if files.live and TMPFILES in view.wanted:
        paths += [f"{one}/x" for one in folders_in(view.wanted[TMPFILES].content)]
    return {folder for path in paths for folder in files.missing_folders(path)}


def units_as_they_are(view: View) -> tuple[UnitWas, ...]:
    """Units whose present state the way back has to know."""
    last = view.state.bundle.instances if view.state else ()
    names = {one.unit for one in (*view.bundle.instances, *last)}
    names |= {one.unit for one in view.changes.units if "." in one.unit}
    names |= {NGINX_UNIT, TARGET, *SERVICES, *view.bundle.takeover}
    return _as_they_are(names)


def units_of_state(state: State) -> tuple[UnitWas, ...]:
    """The same before a removal: ours, and those of others that we changed."""
    names = {one.unit for one in state.bundle.instances}
    names |= {NGINX_UNIT, TARGET, *SERVICES, *(one.name for one in state.before.units)}
    return _as_they_are(names)


def _as_they_are(names: Iterable[str]) -> tuple[UnitWas, ...]:
    seen = systemd.statuses(sorted(names))
    return tuple(
        UnitWas(name, one.running or one.active == "activating", one.enabled)
        for name, one in sorted(seen.items())
        if one.load != "not-found"
    )


def _gpus(bundle: Bundle) -> tuple[GpuBefore, ...]:
    """Settings now of the GPUs whose settings are wanted; only what will be set is recorded."""
    if bundle.gpu_settings is None:
        return ()
    now = readings(tuple(one.uuid for one in bundle.gpu_settings.gpus))
    if isinstance(now, str):
        return ()
    return tuple(
        GpuBefore(
            one.uuid,
            one.address,
            now[one.uuid].persistence if one.persistence is not None else None,
            now[one.uuid].power_limit_watts if one.power_limit_watts is not None else None,
        )
        for one in bundle.gpu_settings.gpus
    )
