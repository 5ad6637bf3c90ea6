"""verify: what really runs on this host, claim by claim, against what was last applied."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .. import systemd
from ..balancer.loaded import not_loaded
from ..balancer.nginx import held_by_nginx
from ..bundle import Bundle, Instance, Probe
from ..errors import ProvisionError, fail
from ..files import Files, needs_root
from ..names import GPU_UNIT, NGINX_UNIT
from ..probe import Outcome, ask
from ..report import Check, Report
from ..secrets import read_bearer
from ..sockets import listeners
from ..systemd import UnitStatus
from ..transaction.state import load_state
from ..transaction.unit_changes import differing_settings
from ..unit.nvml import readings
from .gpus import gpu_checks
from .processes import process_checks


def verify(files: Files) -> Report:
    """Check every claim of the last apply; ProvisionError `nothing-applied` when there was none.

    Tokens are really generated: one directly and one through nginx for each instance.
    """
    state = load_state(files)
    if state is None:
        raise fail("nothing-applied", "nothing was applied on this host", "provision apply first")
    if not files.live:
        raise fail("not-live", f"{files.root} is not the running machine: nothing runs there")
    if os.geteuid() != 0:
        raise needs_root("looking into the engines' processes needs root")
    if not systemd.booted():
        raise fail("no-systemd", "systemd does not run this machine (no /run/systemd/system)")
    bundle = state.bundle
    units = systemd.statuses([*(one.unit for one in bundle.instances), NGINX_UNIT, GPU_UNIT])
    checks: list[Check] = []
    for instance in bundle.instances:
        checks += instance_checks(instance, units[instance.unit], files)
    checks += _gpu_settings(bundle, units[GPU_UNIT])
    checks += nginx_checks(bundle, units[NGINX_UNIT], files)
    return Report(1, bundle.host, tuple(checks))


def instance_checks(instance: Instance, status: UnitStatus, files: Files) -> list[Check]:
    """All claims about one instance. Of one that does not run only that is said."""
    unit = Check(
        instance.name, "unit", status.active == "active", "active", status.active, instance.unit
    )
    if not unit.ok:
        return [unit]
    probes = [
        _probed(instance.name, aspect, probe, files)
        for aspect, probe in (
            ("ready", instance.runtime.ready),
            ("token", instance.runtime.token),
            ("proxy", instance.through_proxy),
        )
        if probe
    ]
    # Processes are looked at after the token: only now is every worker and all memory there.
    return [
        unit,
        *process_checks(instance, status),
        _port(instance),
        *gpu_checks(instance, status, files),
        *probes,
    ]


def _probed(name: str, aspect: str, probe: Probe, files: Files) -> Check:
    outcome = probed(probe, files)
    words = {"ready": "ready", "token": "one token", "proxy": "one token through nginx"}
    actual = f"in {outcome.seconds:.2f} s" if outcome.ok else outcome.why
    return Check(name, aspect, outcome.ok, words[aspect], actual)


def probed(probe: Probe, files: Files) -> Outcome:
    """Send a probe with the key that it names."""
    try:
        bearer = read_bearer(files, probe.bearer) if probe.bearer else None
    except ProvisionError as error:
        return Outcome(False, error.diagnostics[0].message)
    return ask(probe, bearer)


def _port(instance: Instance) -> Check:
    port = instance.expectation.port or instance.placed.port or 0
    held = [one for one in listeners() if one.port == port]
    shown = ", ".join(
        sorted({f"{one.unit or 'no unit'} ({one.address}, pid {one.pid})" for one in held})
    )
    ours = bool(held) and all(one.unit == instance.unit for one in held)
    return Check(
        instance.name, "port", ours, f"{port} held by {instance.unit}", shown or "nobody listens"
    )


def _gpu_settings(bundle: Bundle, status: UnitStatus) -> list[Check]:
    settings = bundle.gpu_settings
    if settings is None or not settings.gpus:
        return []
    why = differing_settings(settings, readings(tuple(one.uuid for one in settings.gpus)))
    return [
        Check("gpu-settings", "unit", status.active == "active", "active", status.active, GPU_UNIT),
        Check("gpu-settings", "gpus", why is None, "settings read back", why or "as planned"),
    ]


def nginx_checks(bundle: Bundle, status: UnitStatus, files: Files) -> list[Check]:
    """The proxy runs, holds its listeners, and its workers serve what lies on disk."""
    if bundle.nginx is None:
        return []
    checks = [Check("nginx", "unit", status.active == "active", "active", status.active)]
    missing = _not_held(bundle.nginx.listens)
    expected = ", ".join(bundle.nginx.listens)
    actual = f"not on {', '.join(missing)}" if missing else "held by nginx"
    checks.append(Check("nginx", "port", not missing, expected, actual))
    if bundle.nginx.health:
        why = not_loaded(bundle.nginx, files)
        actual = "as applied" if why is None else why
        checks.append(
            Check("nginx", "environment", why is None, "workers run our configuration", actual)
        )
    return checks


def _not_held(listens: Iterable[str]) -> list[str]:
    return [one for one in listens if not held_by_nginx(one)]
