"""The systemd units that matter here: ours, the engines' own, nginx, the driver's, and others.

Others are those that get in the way of a GPU server (upgrades of the driver by night, a display
manager) or watch it (exporters).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...facts import UnitNow
from ..source import Source

_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,MainPID,FragmentPath"
# Known even when they do not run: their absence or rest says something.
_NAMED = (
    "nginx.service",
    "nvidia-dcgm.service",
    "nvidia-fabricmanager.service",
    "nvidia-persistenced.service",
    "ollama.service",
    "provision-gpu-settings.service",
    "provision.target",
    "vllm.service",
)
# Patterns match units that the manager has loaded: running, failed or waited for. They cost nothing
# where there is none, while each name makes systemd look for a file.
_PATTERNS = (
    "*exporter*.service",
    "alertmanager*.service",
    "apt-daily-upgrade.*",  # upgrades below a running driver: NVML dies until it is reloaded
    "dcgm*.service",
    "display-manager*.service",
    "dnf-automatic*.timer",
    "firewalld*.service",
    "gdm*.service",  # display managers hold memory of a GPU
    "grafana*.service",
    "irqbalance*.service",
    "lightdm*.service",
    "llama*.service",
    "nvidia-*.service",
    "ollama*.service",
    "prometheus*.service",
    "ray*.service",
    "sddm*.service",
    "sglang*.service",
    "tabby*.service",
    "unattended-upgrades*.service",
    "vllm*.service",
    "vmagent*.service",
)


def read_units(source: Source, ours: Iterable[str]) -> tuple[UnitNow, ...]:
    """The state of our units (from the host's record) and of the others that matter, by name."""
    program = source.which("systemctl")
    if program is None:
        return ()
    wanted = [*sorted({*_NAMED, *ours}), *_PATTERNS]
    ran = source.run([program, "show", f"--property={_PROPERTIES}", "--", *wanted])
    return parse_show(ran.out) if ran.ok else ()


def parse_show(text: str) -> tuple[UnitNow, ...]:
    """The units in the output of `systemctl show`, blocks of KEY=VALUE; missing ones left out."""
    units: dict[str, UnitNow] = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name, active = values.get("Id"), values.get("ActiveState")
        if not name or not active:
            continue
        if values.get("LoadState") == "not-found" and active == "inactive":
            continue
        pid = values.get("MainPID", "0")
        units[name] = UnitNow(
            name=name,
            active=active,
            enabled=values.get("UnitFileState") or None,
            main_pid=int(pid) if re.fullmatch(r"[1-9]\d{0,9}", pid) else None,
            fragment=values.get("FragmentPath") or None,
        )
    return tuple(units[name] for name in sorted(units))
