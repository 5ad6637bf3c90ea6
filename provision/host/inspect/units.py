"""The systemd units that matter here: ours, the engines' own, nginx, nvidia-persistenced."""

from __future__ import annotations

from collections.abc import Iterable

from ..facts import UnitNow
from ..run import run, which

_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,MainPID,FragmentPath"
_NAMED = (
    "nginx.service",
    "nvidia-persistenced.service",
    "ollama.service",
    "provision-gpu-settings.service",
    "provision.target",
    "vllm.service",
)
# Patterns match units that the manager has loaded: running, failed or waited for.
_PATTERNS = ("llama*.service", "ollama*.service", "vllm*.service")


def read_units(ours: Iterable[str]) -> tuple[UnitNow, ...]:
    """The state of our units (from the host's record) and of the others that matter, by name."""
    program = which("systemctl")
    if program is None:
        return ()
    wanted = [*sorted({*_NAMED, *ours}), *_PATTERNS]
    ran = run([program, "show", f"--property={_PROPERTIES}", "--", *wanted])
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
            main_pid=int(pid) if pid.isdecimal() and pid != "0" else None,
            fragment=values.get("FragmentPath") or None,
        )
    return tuple(units[name] for name in sorted(units))
