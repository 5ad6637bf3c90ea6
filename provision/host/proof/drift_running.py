"""Drift of what runs: live processes, settings of GPUs, the configuration nginx has loaded."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from ..balancer.door import started_at
from ..balancer.loaded import not_loaded
from ..balancer.upstreams import Holds, is_own_form, lines
from ..bundle import GpuSettings, Instance, Nginx
from ..errors import ProvisionError
from ..files import Files
from ..names import NGINX_UNIT
from ..report import Check
from ..systemd import UnitStatus
from ..transaction.instance_changes import running_digest
from ..transaction.unit_changes import differing_settings
from ..unit.nvml import readings
from ..watch.record import load_watch
from .drift_report import Drifted, Unknown
from .processes import process_checks

Found = tuple[list[Drifted], list[Unknown]]

_KINDS = {"processes": "process"}  # the other aspects are kinds by their own name
_RESTART = "systemctl restart {unit}, or provision apply HOST.YAML"
_NO_ROOT = "needs root to be looked at"


def instance_drift(instance: Instance, status: UnitStatus | None) -> Found:
    """What the live processes of an instance are and where they run; nothing of one that is down.

    One with an older configuration is not looked at further: it has other pins by right.
    """
    if status is None or not status.running or status.main_pid is None:
        return [], []
    digest = running_digest(status)
    if digest is None and os.geteuid() != 0:
        return [], [Unknown(instance.name, f"environment and pins: {_NO_ROOT}")]
    if digest != instance.digest:
        actual = "an older configuration" if digest else "without the mark of provision"
        hint = "provision apply HOST.YAML restarts it"
        return [Drifted("older", instance.name, "what was applied", actual, hint)], []
    return sorted_out(instance, process_checks(instance, status))


def sorted_out(instance: Instance, checks: Iterable[Check]) -> Found:
    """Refuted claims as drift, those that could not be looked at as unknown."""
    items: list[Drifted] = []
    unknown: list[Unknown] = []
    hint = _RESTART.format(unit=instance.unit)
    for one in checks:
        if one.ok is False:
            actual = f"{one.actual} ({one.detail})" if one.detail else one.actual
            kind = _KINDS.get(one.aspect, one.aspect)
            items.append(Drifted(kind, instance.name, one.expected, actual, hint))
        elif one.ok is None and one.actual == "unknown":
            unknown.append(Unknown(instance.name, f"{one.aspect}: {one.detail}"))
    return items, unknown


def gpu_drift(settings: GpuSettings | None) -> Found:
    """Power limits and persistence, read back GPU by GPU, so that one lost card hides no other."""
    if settings is None or not settings.gpus:
        return [], []
    now = readings(tuple(one.uuid for one in settings.gpus))
    items: list[Drifted] = []
    unknown: list[Unknown] = []
    hint = "systemctl restart provision-gpu-settings.service makes them again"
    for gpu in settings.gpus:
        told = now if not isinstance(now, str) else readings((gpu.uuid,))
        if isinstance(told, str):
            unknown.append(Unknown(f"GPU {gpu.address}", told))
            continue
        why = differing_settings(GpuSettings(1, (gpu,)), told)
        if why:
            wanted = _wanted(gpu.persistence, gpu.power_limit_watts)
            items.append(Drifted("gpu-settings", f"GPU {gpu.address}", wanted, why, hint))
    return items, unknown


def _wanted(persistence: bool | None, watts: float | None) -> str:
    words = [] if persistence is None else [f"persistence {'on' if persistence else 'off'}"]
    words += [] if watts is None else [f"{watts:g} W"]
    return ", ".join(words)


def nginx_drift(nginx: Nginx | None, files: Files, seen: Mapping[str, UnitStatus]) -> Found:
    """Whether the workers that answer run the files as they lie on disk. Asks nginx, no engine."""
    status = seen.get(NGINX_UNIT)
    if nginx is None or nginx.health is None or status is None or not status.running:
        return [], []
    try:
        why = not_loaded(nginx, files)
    except ProvisionError as error:
        return [], [Unknown("nginx", error.diagnostics[0].message)]
    if why is None:
        return [], []
    if "the answer lacks" in why:  # it names both marks, which tell nobody anything
        why = why.partition(" (")[0]
    hint = "systemctl reload nginx; its error log says what it does not take"
    return [Drifted("nginx-older", "nginx", "the files on disk", why, hint)], []


def balancer_drift(nginx: Nginx | None, files: Files, holds: Holds) -> list[Drifted]:
    """Server lines that are otherwise than the holds say; edited ones are told by drift_files."""
    if nginx is None:
        return []
    wanted = lines(nginx, holds)
    items: list[Drifted] = []
    for one in nginx.servers:
        try:
            content = files.read(one.path)
        except ProvisionError:
            continue
        if content is None or content == wanted[one.path].encode():
            continue
        if is_own_form(nginx, one.path, content, holds):
            held = bool(holds.holding(one.instance))
            items.append(
                Drifted(
                    "balancer",
                    one.instance,
                    f"{'down' if held else 'up'} in {one.route}",
                    "up, though it is held" if held else f"{content.decode().strip()}",
                    "provision apply HOST.YAML, or restart provision-watch.service",
                )
            )
    return items


def watch_drift(names: Iterable[str], files: Files) -> list[Drifted]:
    """Instances that watch would take out, were they not the last of their route."""
    record = load_watch(files)
    if record is None or started_at(record.pid) is None:
        return []  # what a watch that is gone thought of them is of no interest
    return [
        Drifted(
            "unwell",
            name,
            "answers tokens",
            f"{record.instances[name].why or 'no answer'}; kept in, being the last of its route",
            "provision verify asks it; journalctl -u provision-watch says since when",
        )
        for name in names
        if name in record.instances and record.instances[name].state == "kept"
    ]
