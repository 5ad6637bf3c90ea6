"""The same answers from nvidia-smi's table, for a host whose NVML cannot be loaded."""

from __future__ import annotations

import csv
import io

from ..run import run, which
from .nvml import NvmlAnswers, NvmlGpu

_FIELDS = (
    "uuid",
    "pci.bus_id",
    "name",
    "memory.total",
    "memory.used",
    "power.min_limit",
    "power.max_limit",
    "power.default_limit",
    "power.limit",
    "power.draw",
    "persistence_mode",
    "driver_version",
)


def ask_nvidia_smi() -> NvmlAnswers | None:
    """What nvidia-smi tells; None when there is no such program or it gives no table."""
    program = which("nvidia-smi")
    if program is None:
        return None
    ran = run(
        [program, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"], timeout=60
    )
    return parse_table(ran.out) if ran.ok else None


def parse_table(text: str) -> NvmlAnswers | None:
    """The answers in a CSV table without header and units; `[N/A]` and the like are None."""
    gpus: list[NvmlGpu] = []
    version: str | None = None
    for line in csv.reader(io.StringIO(text.replace("\0", "")), skipinitialspace=True):
        if len(line) != len(_FIELDS):
            continue
        cell = {name: _known(value) for name, value in zip(_FIELDS, line, strict=True)}
        version = version or cell["driver_version"]
        mode = cell["persistence_mode"]
        gpus.append(
            NvmlGpu(
                index=len(gpus),
                uuid=cell["uuid"],
                bus=cell["pci.bus_id"],
                name=cell["name"],
                memory_bytes=_scaled(cell["memory.total"], 1 << 20),
                used_bytes=_scaled(cell["memory.used"], 1 << 20),
                power_min=_scaled(cell["power.min_limit"], 1000),
                power_max=_scaled(cell["power.max_limit"], 1000),
                power_default=_scaled(cell["power.default_limit"], 1000),
                power_limit=_scaled(cell["power.limit"], 1000),
                power_draw=_scaled(cell["power.draw"], 1000),
                persistence=None if mode is None else mode == "Enabled",
            )
        )
    return NvmlAnswers(version=version, gpus=tuple(gpus)) if gpus else None


def _known(value: str) -> str | None:
    """A cell; `[N/A]`, `[Not Supported]`, `[Unknown Error]`, `N/A` and empty ones tell nothing."""
    text = value.strip()
    return None if not text or text.startswith("[") or text == "N/A" else text


def _scaled(value: str | None, factor: int) -> int | None:
    try:
        return None if value is None else round(float(value) * factor)
    except (ValueError, OverflowError):
        return None
