"""Doing the service actions of a ChangeSet, one after the other, each to its end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from .. import systemd
from ..balancer import nginx
from ..bundle import GpuSetting, GpuSettings, Instance
from ..errors import ProvisionError, fail
from ..files import Files
from ..report import UnitChange
from ..runtime import RUNTIME
from ..systemd import UnitError
from ..unit.nvml import nvml
from .changes import View
from .state import Before, GpuBefore
from .steps import Steps
from .unit_changes import GPU_UNIT, NGINX_UNIT, SYSUSERS, TMPFILES, running_digest

_GPU_SECONDS = 300  # the unit waits for the driver itself


def before_files(changes: Iterable[UnitChange]) -> list[UnitChange]:
    """Actions that come before the first file: what leaves is stopped with the files it has."""
    return [one for one in changes if one.action in ("stop", "disable")]


def after_files(changes: Iterable[UnitChange]) -> list[UnitChange]:
    """All other actions."""
    return [one for one in changes if one.action not in ("stop", "disable")]


def perform(change: UnitChange, view: View, steps: Steps) -> None:
    """Do one action and tell how it went; raises ProvisionError (UnitError) where it fails."""
    instance = next((one for one in view.bundle.instances if one.unit == change.unit), None)
    began = time.monotonic()
    if change.unit == NGINX_UNIT:
        text = _on_nginx(change, view)
    elif change.unit == GPU_UNIT and change.action != "stop":
        systemd.restart(GPU_UNIT, _GPU_SECONDS)
        text = settings_in_words(view.bundle.gpu_settings)
    elif instance and change.action != "stop":
        text = _on_instance(change, instance)
    else:
        text = _on_any(change)
        dropped = change.action == "stop" and instance is None and "@" in change.unit
        if dropped and change.unit not in view.bundle.takeover:
            systemd.clean_caches(change.unit)
    seconds = time.monotonic() - began
    steps.add(instance.name if instance else change.unit, text, seconds=round(seconds, 2))


def settings_in_words(settings: GpuSettings | None) -> str:
    """`persistence on, power limit 300 W on 4 GPUs (read back)`."""
    if settings is None or not settings.gpus:
        return "no GPU settings"
    limits = sorted({one.power_limit_watts for one in settings.gpus if one.power_limit_watts})
    words = ["persistence on"] if any(one.persistence for one in settings.gpus) else []
    words += [f"power limit {' or '.join(f'{one:g}' for one in limits)} W"] if limits else []
    number = len(settings.gpus)
    plural = "" if number == 1 else "s"
    return f"{', '.join(words) or 'left as they are'} on {number} GPU{plural} (read back)"


def gpus_to_put_back(
    recorded: Iterable[GpuBefore], made: GpuSettings | None, kept: GpuSettings | None
) -> tuple[GpuBefore, ...]:
    """Recorded values of the settings that were made and are not to be kept, one by one."""
    by_made = {one.uuid: one for one in made.gpus} if made else {}
    by_kept = {one.uuid: one for one in kept.gpus} if kept else {}
    found: list[GpuBefore] = []
    for was in recorded:
        unset = GpuSetting(was.uuid, was.address)
        then, after = by_made.get(was.uuid, unset), by_kept.get(was.uuid, unset)
        persistence = then.persistence is not None and after.persistence is None
        limit = then.power_limit_watts is not None and after.power_limit_watts is None
        found.append(
            GpuBefore(
                was.uuid,
                was.address,
                was.persistence if persistence else None,
                was.power_limit_watts if limit else None,
            )
        )
    return tuple(one for one in found if (one.persistence, one.power_limit_watts) != (None, None))


def put_back_gpus(gpus: Iterable[GpuBefore]) -> list[str]:
    """Set GPUs as they were before the first apply; what was put back, in words."""
    done: list[str] = []
    wanted = [one for one in gpus if (one.persistence, one.power_limit_watts) != (None, None)]
    if not wanted:
        return done
    with nvml() as session:
        for gpu in wanted:
            now = session.read(gpu.uuid)
            if gpu.power_limit_watts is not None and now.power_limit_watts != gpu.power_limit_watts:
                session.set_power_limit(gpu.uuid, gpu.power_limit_watts)
                done.append(f"{gpu.address} power limit {gpu.power_limit_watts:g} W")
            if gpu.persistence is not None and now.persistence != gpu.persistence:
                session.set_persistence(gpu.uuid, gpu.persistence)
                done.append(f"{gpu.address} persistence {'on' if gpu.persistence else 'off'}")
    return done


def forget_runtime(files: Files, names: Iterable[str]) -> None:
    """Take away what guard wrote for instances that are gone."""
    for name in names:
        files.remove(f"{RUNTIME}/{name}.env")


def instance_of(unit: str) -> str:
    """`ollama@chat.0.service` -> `chat.0`."""
    return unit.partition("@")[2].removesuffix(".service")


def put_back_units(before: Before, names: Iterable[str], steps: Steps) -> None:
    """Enable and start services of others as they were recorded."""
    for name in names:
        was = before.unit(name)
        now = systemd.status(name)
        if was is None or now.load == "not-found":
            continue
        if was.enabled and now.enabled == "disabled":
            systemd.enable(name)
            steps.add(name, "enabled again")
        if was.active and not now.running:
            systemd.start(name, _GPU_SECONDS)
            steps.add(name, "started again")
        if not was.active and now.running:
            systemd.stop(name)
            steps.add(name, "stopped, as it was before")
        if not was.enabled and now.enabled == "enabled":
            systemd.disable(name)
            steps.add(name, "disabled, as it was before")


def _on_instance(change: UnitChange, instance: Instance) -> str:
    systemd_verb = systemd.start if change.action == "start" else systemd.restart
    systemd_verb(instance.unit, instance.start_timeout_seconds)
    status = systemd.status(instance.unit)
    digest = running_digest(status)
    if not status.running or digest != instance.digest:
        what = f"is {status.active}" if not status.running else "runs with another environment"
        error = fail(
            "unit-failed",
            f"{instance.unit} {what} after its start",
            f"look for drop-ins that are not ours: systemctl cat {instance.unit}",
        )
        raise UnitError(instance.unit, error)
    word = "started" if change.action == "start" else "restarted"
    said = re.findall(r"ready after .*", systemd.lines_of_start(instance.unit))
    return f"{word}, {said[-1]}" if said else f"{word}, ready"


def _on_nginx(change: UnitChange, view: View) -> str:
    if change.action == "enable":
        systemd.enable(NGINX_UNIT)
        return "enabled"
    try:
        if change.action == "start":
            systemd.start(NGINX_UNIT, 90)
        else:
            systemd.reload(NGINX_UNIT)
        if view.bundle.nginx:
            nginx.prove(view.bundle.nginx)
    except UnitError:
        raise
    except ProvisionError as error:
        raise UnitError(NGINX_UNIT, error) from None
    word = "started" if change.action == "start" else "reloaded"
    return f"{word}, new workers answer" if view.bundle.nginx else word


def _on_any(change: UnitChange) -> str:
    if change.unit == "systemd-sysusers":
        systemd.make_users(SYSUSERS)
        return "users made"
    if change.unit == "systemd-tmpfiles":
        systemd.make_folders(TMPFILES)
        return "folders made"
    if change.action == "daemon-reload":
        systemd.daemon_reload()
        return "unit files read again"
    if change.action == "stop":
        systemd.stop(change.unit)
        return f"stopped: {change.why}"
    if change.action == "disable":
        systemd.disable(change.unit)
        return f"disabled: {change.why}"
    if change.action == "enable":
        systemd.enable(change.unit)
        return "enabled"
    systemd.start(change.unit, 120)
    return "started"
