"""Vendors' own units (ollama.service): in the way of ours, taken over only when asked to."""

from __future__ import annotations

import re
from collections.abc import Collection

from provision.host.facts import Facts, GpuProcess, Listener, UnitNow

from ..complaints import Complaints

VENDOR_UNITS = ("llama-server.service", "ollama.service", "vllm.service")
_OWN_UNIT = re.compile(r"(?:ollama|vllm|llama-server)@[^/]+\.service")
_RUNNING = ("active", "activating", "reloading")


def is_own(unit: str | None) -> bool:
    """Whether a unit is an instance of one of our templates."""
    return unit is not None and _OWN_UNIT.fullmatch(unit) is not None


def own_instance(unit: str) -> str:
    """`ollama@chat.0.service` -> `chat.0`."""
    return unit.partition("@")[2].removesuffix(".service")


def taken_over(facts: Facts, takeover: bool) -> tuple[str, ...]:
    """Units that apply stops and disables: running, or started at the next boot."""
    if not takeover:
        return ()
    found = {
        unit.name
        for unit in facts.volatile.units
        if unit.name in VENDOR_UNITS and (unit.active in _RUNNING or unit.enabled == "enabled")
    }
    return tuple(sorted(found))


def check_vendor_units(
    facts: Facts, gpus: Collection[str], takeover: bool, complaints: Complaints
) -> None:
    """A vendor's unit on our GPUs is an error; one that merely runs or starts is a warning."""
    if takeover:
        return
    holders = {
        process.unit: process for process in facts.volatile.gpu_processes if process.gpu in gpus
    }
    for unit in sorted(facts.volatile.units, key=lambda one: one.name):
        if unit.name not in VENDOR_UNITS:
            continue
        process = holders.get(unit.name)
        if process is not None:
            complaints.error(
                "vendor-unit",
                f"{unit.name} uses {_gpu_text(facts, process)}, which this plan gives to an "
                "instance",
                hint=f"takeover: true, or: systemctl disable --now {unit.name}",
            )
        elif unit.active in _RUNNING or unit.enabled == "enabled":
            complaints.warning(
                "vendor-unit",
                f"{unit.name} is {_state(unit)} and will use any GPU that it finds",
                hint=f"takeover: true stops and disables it; or: systemctl disable --now "
                f"{unit.name}",
            )


def _state(unit: UnitNow) -> str:
    if unit.active in _RUNNING:
        return "running"
    return f"{unit.active} now, enabled at boot"


def _gpu_text(facts: Facts, process: GpuProcess) -> str:
    gpu = facts.gpu(process.gpu)
    used = "" if process.memory_mib is None else f" ({process.memory_mib} MiB)"
    return f"GPU {gpu.index if gpu else process.gpu}{used}"


def check_foreign_processes(facts: Facts, gpus: Collection[str], complaints: Complaints) -> None:
    """Processes of somebody else on our GPUs take memory that the engines count on."""
    for process in sorted(facts.volatile.gpu_processes, key=lambda one: (one.gpu, one.pid)):
        if process.gpu not in gpus or is_own(process.unit) or process.unit in VENDOR_UNITS:
            continue
        owner = f"{process.program or 'a process'} (pid {process.pid}"
        owner += f", {process.unit})" if process.unit else ")"
        complaints.warning(
            "gpu-in-use", f"{owner} uses {_gpu_text(facts, process)} beside the instance there"
        )


def holder_text(listener: Listener) -> str:
    """`python3 (pid 8121, unit session.scope)`, as far as it is known."""
    parts = [f"pid {listener.pid}" if listener.pid else "", listener.unit or ""]
    inside = ", ".join(part for part in parts if part)
    name = listener.program or "another program"
    return f"{name} ({inside})" if inside else name
