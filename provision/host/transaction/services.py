"""Doing the service actions of a ChangeSet, one after the other, each to its end."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .. import systemd
from ..balancer.upstreams import drop_holds, level
from ..bundle import GpuSetting, GpuSettings
from ..errors import ProvisionError
from ..files import Files
from ..names import GPU_UNIT, NGINX_UNIT, SYSUSERS, TMPFILES
from ..report import UnitChange
from ..runtime import RUNTIME
from ..systemd import UnitError
from ..unit.nvml import nvml
from .changes import View
from .rolling import Rolling
from .state import Before, GpuBefore
from .steps import Steps

_GPU_SECONDS = 300  # the unit waits for the driver itself


def lines_of_late(view: View, unit: str | None = None) -> set[str]:
    """Server lines of dropped instances that serve until others have started, of one or of all.

    They stay in the balancer until it is their turn to stop.
    """
    last, wanted = view.state.bundle if view.state else None, view.bundle.nginx
    if last is None or last.nginx is None or wanted is None:
        return set()
    units = [one.unit for one in view.changes.units]
    acts = [at for at, one in enumerate(view.changes.units) if one.action in ("start", "restart")]
    late = {one for one in units[acts[0] :] if "@" in one} if acts else set()
    late -= {one.unit for one in view.bundle.instances}
    names = {one.name for one in last.instances if one.unit in late and unit in (None, one.unit)}
    routes = {one.route for one in wanted.servers}
    return {one.path for one in last.nginx.servers if one.instance in names and one.route in routes}


def perform_all(view: View, rolling: Rolling) -> None:
    """Do the actions in their order; the first start of an instance begins all of them."""
    starting = {one.unit for one in view.changes.units if one.action == "start"}
    begun: set[str] | None = None
    for one in view.changes.units:
        if begun is None and one.action == "start" and "@" in one.unit:
            begun = rolling.begin(made for made in view.bundle.instances if made.unit in starting)
        _perform(one, view, rolling, begun or set())


def _perform(change: UnitChange, view: View, rolling: Rolling, begun: set[str]) -> None:
    """Do one action and tell how it went; raises ProvisionError (UnitError) where it fails."""
    instance = next((one for one in view.bundle.instances if one.unit == change.unit), None)
    began = time.monotonic()
    if change.unit == NGINX_UNIT:
        text = _on_nginx(change, view, rolling)
    elif change.unit == GPU_UNIT and change.action != "stop":
        systemd.restart(GPU_UNIT, _GPU_SECONDS)
        text = settings_in_words(view.bundle.gpu_settings)
    elif instance and change.action != "stop":
        text = rolling.renew(instance, change.action, begun=change.unit in begun)
    elif change.action == "stop" and "@" in change.unit:
        text = _on_leaving(change, view, rolling)
    else:
        text = _on_any(change)
    seconds = time.monotonic() - began
    name = instance.name if instance else instance_of(change.unit) or change.unit
    rolling.steps.add(name, text, seconds=round(seconds, 2))


def settings_in_words(settings: GpuSettings | None) -> str:
    """`4 GPUs: persistence on, power limit 300 W (read back)`."""
    if settings is None or not settings.gpus:
        return "no GPU settings"
    limits = sorted({one.power_limit_watts for one in settings.gpus if one.power_limit_watts})
    words = ["persistence on"] if any(one.persistence for one in settings.gpus) else []
    words += [f"power limit {' or '.join(f'{one:g}' for one in limits)} W"] if limits else []
    number = len(settings.gpus)
    plural = "" if number == 1 else "s"
    return f"{number} GPU{plural}: {', '.join(words) or 'left as they are'} (read back)"


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


def _on_leaving(change: UnitChange, view: View, rolling: Rolling) -> str:
    """Stop an instance that is dropped, or that makes room for another one, once it is idle."""
    known = (*rolling.last.instances, *view.bundle.instances)
    instance = next((one for one in known if one.unit == change.unit), None)
    waited = ""
    lines = lines_of_late(view, change.unit)
    if lines:
        for path in sorted(lines):
            rolling.files.remove(path)
        rolling.announce()
    if instance:
        waited = rolling.empty(instance, systemd.status(change.unit), change.why)
    systemd.stop(change.unit)
    kept = {one.unit for one in view.bundle.instances} | set(view.bundle.takeover)
    if change.unit not in kept:
        systemd.clean_caches(change.unit)
    return f"{waited}stopped: {change.why}"


def _on_nginx(change: UnitChange, view: View, rolling: Rolling) -> str:
    if change.action == "enable":
        systemd.enable(NGINX_UNIT)
        return "enabled"
    drop_holds(rolling.files, "apply")
    try:
        if change.action == "start":
            if view.bundle.nginx:
                level(view.bundle.nginx, rolling.files)
            systemd.start(NGINX_UNIT, 90)
        if view.bundle.nginx:
            level(view.bundle.nginx, rolling.files)
        elif change.action == "reload":
            systemd.reload(NGINX_UNIT)
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
    if change.action == "restart":
        systemd.restart(change.unit, 120)
        return "restarted"
    systemd.start(change.unit, 120)
    return "started"
