"""The CSV table of `nvidia-smi --query-gpu`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..answers import NvmlAnswers, NvmlGpu
from . import values

# Field: what it is of an NvmlGpu, and how its cell is read.
_READ: dict[str, tuple[str, Callable[[str | None], Any]]] = {
    "index": ("index", values.whole),
    "uuid": ("uuid", values.uuid),
    "pci.bus_id": ("bus", values.bus_id),
    "name": ("name", values.known),
    "compute_cap": ("capability", values.version),
    "serial": ("serial", values.known),
    "vbios_version": ("vbios", values.known),
    "memory.total": ("memory_bytes", values.size),
    "memory.used": ("used_bytes", values.size),
    "memory.reserved": ("reserved_bytes", values.size),
    "power.min_limit": ("power_min", values.milliwatts),
    "power.max_limit": ("power_max", values.milliwatts),
    "power.default_limit": ("power_default", values.milliwatts),
    "power.limit": ("power_limit", values.milliwatts),
    "enforced.power.limit": ("power_enforced", values.milliwatts),
    "power.draw": ("power_draw", values.milliwatts),
    "persistence_mode": ("persistence", values.switched),
    "compute_mode": ("compute_mode", values.compute_mode),
    "temperature.gpu": ("temperature", values.signed),
    "utilization.gpu": ("utilization", values.whole),
    "clocks.current.sm": ("clock_sm", values.whole),
    "clocks.max.sm": ("clock_sm_max", values.whole),
    "clocks.current.memory": ("clock_memory", values.whole),
    "clocks_throttle_reasons.active": ("throttle", values.bits),
    "clocks_event_reasons.active": ("throttle", values.bits),
    "pcie.link.gen.current": ("pcie_generation", values.whole),
    "pcie.link.gen.max": ("pcie_generation_max", values.whole),
    "pcie.link.gen.gpumax": ("pcie_generation_card", values.whole),
    "pcie.link.width.current": ("pcie_width", values.whole),
    "pcie.link.width.max": ("pcie_width_max", values.whole),
    "ecc.mode.current": ("ecc", values.switched),
    "ecc.mode.pending": ("ecc_pending", values.switched),
    "ecc.errors.uncorrected.volatile.total": ("ecc_uncorrected", values.whole),
    "ecc.errors.uncorrected.aggregate.total": ("ecc_uncorrected_total", values.whole),
    "remapped_rows.correctable": ("remapped_correctable", values.whole),
    "remapped_rows.uncorrectable": ("remapped_uncorrectable", values.whole),
    "remapped_rows.pending": ("remapping_pending", values.switched),
    "remapped_rows.failure": ("remapping_failed", values.switched),
    "mig.mode.current": ("mig", values.switched),
    "mig.mode.pending": ("mig_pending", values.switched),
    "addressing_mode": ("addressing_mode", values.addressing_mode),
    "gpu_recovery_action": ("recovery_action", values.recovery_action),
    "fabric.state": ("fabric_state", values.fabric_state),
    "fabric.status": ("fabric_status", values.fabric_status),
}
_RENAMED = {"clocks_throttle_reasons.active": "clocks_event_reasons.active"}  # R535
_VERSION = "driver_version"

# -q tells all but these two.
SHORT = ("index", "uuid", "pci.bus_id", "compute_cap")
FULL = (*(field for field in _READ if field not in _RENAMED.values()), _VERSION)


def without_refused(fields: Sequence[str], said: str) -> tuple[str, ...] | None:
    """The fields to ask for after a refusal; None where it names no field that was asked for.

    An nvidia-smi refuses the whole query for one field that it does not know, and names one.
    """
    refused = set(re.findall(r'Field "([^"\n]{1,80})" is not a valid field', said))
    if not refused & set(fields):
        return None
    kept = (_RENAMED.get(field, "") if field in refused else field for field in fields)
    return tuple(field for field in kept if field and field not in refused)


def parse_table(text: str, fields: Sequence[str] = FULL) -> NvmlAnswers:
    """The GPUs of a table; fields are its columns, unless it has a header of its own."""
    gpus: list[NvmlGpu] = []
    version: str | None = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        names = [cell.partition(" [")[0] for cell in cells]
        if "uuid" in names or "pci.bus_id" in names:
            fields = names
            continue
        if len(cells) != len(fields):
            continue  # a warning, or an error that the driver wrote between the lines
        row = dict(zip(fields, cells, strict=True))
        version = version or values.version(row.get(_VERSION))
        told = _told(row)
        if told.get("uuid") or told.get("bus"):
            index = told.pop("index", None)
            base = NvmlGpu(len(gpus) if index is None else index, None, None)
            gpus.append(_with(base, told))
    return NvmlAnswers(version=version, gpus=tuple(gpus))


def _told(row: Mapping[str, str]) -> dict[str, Any]:
    """The attributes that the cells of a row tell."""
    told: dict[str, Any] = {}
    for field, cell in row.items():
        if field in _READ:
            attribute, read = _READ[field]
            value = read(cell)
            if value is not None:
                told[attribute] = value
    return told


def _with(gpu: NvmlGpu, told: Mapping[str, Any]) -> NvmlGpu:
    return replace(gpu, **told)
