"""Services that are in the way: the vendors' own units, failed ones, automatic updates."""

from __future__ import annotations

from collections.abc import Iterator

from ...facts import Finding
from .case import Case
from .lost import stranded
from .names import hold_driver, listed, verb
from .power import PERSISTENCE_DAEMON, without_persistence
from .severity import note, warning

# Those that install by themselves; apt-daily-upgrade.timer alone does nothing.
_UPGRADES = ("unattended-upgrades.service", "dnf-automatic-install.timer")


def service_findings(case: Case) -> Iterator[Finding]:
    yield from _ollama(case)
    yield from _failed(case)
    yield from _upgrades(case)


def _ollama(case: Case) -> Iterator[Finding]:
    """Ollama's own unit beside instances of ours: it takes the GPUs they were given."""
    units = {one.name: one for one in case.volatile.units}
    vendor = units.get("ollama.service")
    ours = sorted(
        {one.unit for one in case.volatile.placed if one.unit.startswith("ollama@")}
        | {name for name in units if name.startswith("ollama@")}
    )
    if vendor is None or not ours:
        return
    runs = vendor.active in ("active", "activating", "reloading")
    if not runs and vendor.enabled != "enabled":
        return
    yield warning(
        "ollama-vendor-unit",
        f"ollama.service is {vendor.active}"
        + (" and enabled" if vendor.enabled == "enabled" else "")
        + f" beside {listed(ours)}",
        "it sees all GPUs and takes their memory, and port 11434, from the instances planned there"
        if runs
        else "it starts at the next boot and takes GPUs and port 11434 from the planned instances",
        "systemctl disable --now ollama.service (its installer enables it again)",
        ("ollama.service", *ours),
    )


def _failed(case: Case) -> Iterator[Finding]:
    told = set(_without_gpu(case))
    if without_persistence(case):
        told.add(PERSISTENCE_DAEMON)
    failed = [
        one.name
        for one in case.volatile.units
        if one.active == "failed"
        and not one.name.startswith("nvidia-fabricmanager")
        and one.name not in told
    ]
    if failed:
        yield warning(
            "unit-failed",
            f"{listed(failed)} {verb(len(failed), 'has', 'have')} failed",
            "what fails does not run, and what depends on it does not either",
            f"systemctl status {' '.join(failed)}; journalctl -b -u {failed[0]}",
            failed,
        )
    manager = [
        one.name
        for one in case.volatile.units
        if one.active == "failed" and one.name.startswith("nvidia-fabricmanager")
    ]
    fabric = any(gpu.nvlink_fabric not in (None, "not-supported") for gpu in case.nvidia)
    if manager and not case.stable.nvswitches and not fabric:
        # Installed where no NVSwitch is: it fails at each boot and nothing needs it.
        yield note(
            "unit-failed",
            f"{manager[0]} has failed on a machine without NVSwitch on its PCI bus",
            "if no NVSwitch is there nothing needs it, and it fails at each boot",
            f"systemctl disable {manager[0]}",
            manager,
        )


def _without_gpu(case: Case) -> Iterator[str]:
    """Units of instances whose GPU is gone: gpu-lost and gpu-missing tell of them."""
    gone = stranded(case)
    for one in case.volatile.placed:
        if any(uuid in gone for uuid in one.gpus):
            yield one.unit


def _upgrades(case: Case) -> Iterator[Finding]:
    """Automatic updates replace the driver's library under the loaded module."""
    driver = case.driver("nvidia")
    if driver is None or driver.source is None:
        return
    on = [
        one.name
        for one in case.volatile.units
        if one.name in _UPGRADES and (one.active == "active" or one.enabled == "enabled")
    ]
    if on:
        yield note(
            "unattended-upgrades",
            f"{listed(on)} {verb(len(on), 'updates', 'update')} packages unasked, the NVIDIA"
            f" driver {driver.version or ''}".rstrip()
            + " among them",
            "an update of the driver makes NVML and every new CUDA program fail until a reboot",
            hold_driver(case),
            on,
        )
