"""Before the first write: what would fail later on this host, each with the way out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from .. import systemd
from ..balancer.needs import nginx_needs
from ..bundle import Bundle, Instance
from ..errors import Diagnostic, ProvisionError
from ..facts import Listener
from ..files import Files
from ..names import NGINX_UNIT
from ..run import which
from ..secrets import secret_complaints
from ..sockets import clashes, listeners, split_listen, unit_of_pid
from ..unit.nvml import nvml
from .changes import View
from .room import room_complaints

# Units that vendors' packages and install scripts bring along, and that serve models themselves.
VENDOR_UNITS = ("ollama.service", "vllm.service", "llama-server.service", "llama.cpp.service")


def preflight(view: View, files: Files) -> list[Diagnostic]:
    """All that stands in the way of this apply on the live host."""
    found = _programs(view.bundle)
    found += room_complaints(view, files)
    found += secret_complaints(view.bundle, files)
    starting = {one.unit for one in view.changes.units if one.action in ("start", "restart")}
    held = listeners()
    for instance in view.bundle.instances:
        found += _paths(instance)
        if instance.unit in starting:
            found += port_complaints(instance, held, _leaving(view, instance))
    found += _nginx(view.bundle, held, units_leaving(view))
    starters = [one for one in view.bundle.instances if one.unit in starting]
    return found + _gpus(view, starters)


def port_complaints(
    instance: Instance, held: Iterable[Listener], leaving: set[str]
) -> list[Diagnostic]:
    """Foreign listeners on an instance's ports. leaving: units that free theirs in this run."""
    ports = {*instance.placed.ports, instance.expectation.port} - {0}
    found: dict[int, Diagnostic] = {}
    for one in held:
        if one.port not in ports or not clashes("127.0.0.1", one) or one.unit in leaving:
            continue
        found.setdefault(one.port, _taken(instance, one))
    return [found[port] for port in sorted(found)]


def _taken(instance: Instance, listener: Listener) -> Diagnostic:
    holder = listener.program or "another program"
    pid = f"pid {listener.pid}" if listener.pid else "of another namespace"
    unit = f", {listener.unit}" if listener.unit else ""
    if listener.unit in VENDOR_UNITS:
        hint = _takeover_hint(listener.unit or "")
    elif listener.unit:
        hint = f"systemctl disable --now {listener.unit}, or give {instance.name} another `port`"
    else:
        hint = f"end it, or give {instance.name} another `port`"
    return Diagnostic(
        "port-taken",
        f"{instance.name}: port {listener.port} is held by {holder} ({pid}{unit})",
        hint=hint,
    )


def _takeover_hint(unit: str) -> str:
    return f"let provision stop and disable it: `takeover: true`, or systemctl disable --now {unit}"


def _leaving(view: View, instance: Instance) -> set[str]:
    """The instance's own unit, and all that this run stops or starts anew."""
    return units_leaving(view) | {instance.unit}


def _programs(bundle: Bundle) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for name in ("systemctl", "systemd-analyze", "systemd-sysusers", "systemd-tmpfiles"):
        if which(name) is None:
            found.append(Diagnostic("program-missing", f"{name} is not installed"))
    for instance in bundle.instances:
        program = instance.program
        if not program:
            continue
        if not Path(program).is_file():
            hint = f"install {instance.engine}, or say where it is: `binary` or `venv` in host.yaml"
            message = f"{instance.name}: {program} does not exist"
            found.append(Diagnostic("program-missing", message, hint=hint))
        elif not os.access(program, os.X_OK):
            message = f"{instance.name}: {program} is not executable"
            found.append(Diagnostic("program-missing", message, hint=f"chmod 755 {program}"))
    return found


def _paths(instance: Instance) -> list[Diagnostic]:
    return [
        Diagnostic(
            "path-missing",
            f"{instance.name}: {path} does not exist",
            hint="put the model there, or correct the path in host.yaml",
        )
        for path in sorted(instance.requires)
        if not Path(path).exists()
    ]


def _nginx(bundle: Bundle, held: Iterable[Listener], leaving: set[str]) -> list[Diagnostic]:
    if bundle.nginx is None:
        return []
    if which("nginx") is None:
        hint = "apt install nginx (dnf install nginx), then apply again"
        return [Diagnostic("nginx-missing", "nginx is not installed", hint=hint)]
    status = systemd.status(NGINX_UNIT)
    if status.load != "loaded":
        way_out = f"systemctl unmask {NGINX_UNIT}" if status.load == "masked" else None
        return [Diagnostic("nginx-missing", f"{NGINX_UNIT} is {status.load}", hint=way_out)]
    found = nginx_needs(bundle.nginx, Files())
    for text in bundle.nginx.listens:
        address, port = split_listen(text)
        for one in held:
            if one.port != port or not clashes(address, one):
                continue
            if one.unit == NGINX_UNIT or one.unit in leaving:
                continue
            pid = f"pid {one.pid}" if one.pid else "of another namespace"
            unit = f", {one.unit}" if one.unit else ""
            message = f"proxy: {text} is held by {one.program or 'another program'} ({pid}{unit})"
            hint = "end it, or choose another `listen`"
            found.append(Diagnostic("port-taken", message, hint=hint))
            break
    return found


def _gpus(view: View, starting: list[Instance]) -> list[Diagnostic]:
    """The driver answers where it is needed, and no vendor's own unit sits on a planned GPU."""
    settings = view.bundle.gpu_settings
    uuids = {gpu.uuid for one in starting for gpu in one.runtime.gpus}
    uuids |= {one.uuid for one in settings.gpus} if settings else set()
    if not uuids:
        return []
    ours = {one.unit for one in view.bundle.instances} | units_stopped(view)
    try:
        with nvml() as session:
            present = {gpu.uuid for gpu in (*session.present(), *session.slices())}
            holders = {
                uuid: [(pid, unit_of_pid(pid)) for pid in session.processes(uuid) or ()]
                for uuid in sorted(uuids & present)
            }
    except ProvisionError as error:
        return list(error.diagnostics)
    found = [
        Diagnostic("gpu-missing", f"GPU {uuid} is planned for and not there", hint="plan again")
        for uuid in sorted(uuids - present)
    ]
    return found + _vendors_on_gpus(holders, ours)


def _vendors_on_gpus(
    holders: Mapping[str, list[tuple[int, str | None]]], ours: set[str]
) -> list[Diagnostic]:
    seen: dict[str, Diagnostic] = {}
    for uuid, processes in sorted(holders.items()):
        for pid, unit in processes:
            if unit in VENDOR_UNITS and unit not in ours:
                message = f"{unit} (pid {pid}) works on the planned GPU {uuid}"
                diagnostic = Diagnostic("gpu-taken", message, hint=_takeover_hint(unit))
                seen.setdefault(unit, diagnostic)
    return list(seen.values())


def units_leaving(view: View) -> set[str]:
    """Units that free what they hold in this run, to get what they hold after it."""
    return {one.unit for one in view.changes.units if one.action in ("stop", "restart")}


def units_stopped(view: View) -> set[str]:
    """Units that this run stops."""
    return {one.unit for one in view.changes.units if one.action == "stop"}
