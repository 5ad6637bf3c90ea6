"""`nvidia-smi -q`: the fullest of its texts, in the words of drivers from R418 to R595."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ....quantity import PciAddress
from ..answers import NvmlGpu
from . import values
from .listing import Slice
from .occupants import mig_devices, processes
from .sections import Section, parse_sections

_Value = TypeVar("_Value")
_GPU = re.compile(r"GPU\s+([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])", re.ASCII)
_REASONS = {  # nvmlClocksEventReason*
    "idle": 0x1,
    "gpu idle": 0x1,
    "applications clocks setting": 0x2,
    "user defined clocks": 0x2,
    "sw power cap": 0x4,
    "sw power capping": 0x4,
    "hw slowdown": 0x8,
    "sync boost": 0x10,
    "sw thermal slowdown": 0x20,
    "hw thermal slowdown": 0x40,
    "hw power brake slowdown": 0x80,
    "hw power braking": 0x80,
    "display clock setting": 0x100,
    "display clocks setting": 0x100,
}


@dataclass(frozen=True, slots=True)
class Details:
    """What -q tells. gpus: by its own order, which is nvidia-smi's without the lost ones."""

    version: str | None = None
    cuda: str | None = None
    gpus: tuple[NvmlGpu, ...] = ()
    lost: tuple[str, ...] = ()  # GPU 3 (0000:c1:00.0): GPU is lost


def parse_details(text: str, slices: Mapping[str, Sequence[Slice]] | None = None) -> Details:
    """The GPUs of a -q text. slices: the MIG devices by GPU as -L lists them, with their UUIDs."""
    root = parse_sections(text)
    gpus: list[NvmlGpu] = []
    lost: list[str] = []
    for section in _all(root):
        match = _GPU.fullmatch(section.name)
        if not match or section.value is not None or not section.parts:
            continue
        index = len(gpus) + len(lost)
        why = values.loss(section.told("GPU UUID"))
        if why:
            lost.append(f"GPU {index} ({PciAddress.parse(match[1])}): {why}")
        else:
            gpus.append(_gpu(index, match[1], section, slices or {}))
    head = next(
        (part for part in (root, *root.parts) if part.part("Driver Version", "KMD Version")), root
    )
    return Details(
        version=_first(head, values.version, "Driver Version", "KMD Version"),
        cuda=_first(head, values.version, "CUDA Version", "CUDA UMD Version"),
        gpus=tuple(gpus),
        lost=tuple(lost),
    )


def _all(root: Section) -> Iterator[Section]:
    """The top sections, and those below them in a text that was indented as a whole."""
    for part in root.parts:
        yield part
        if not _GPU.fullmatch(part.name):
            yield from part.parts


def _gpu(index: int, bus: str, told: Section, slices: Mapping[str, Sequence[Slice]]) -> NvmlGpu:
    uuid, name = values.uuid(told.told("GPU UUID")), values.known(told.told("Product Name"))
    mig = mig_devices(told, name, slices.get(uuid or "", ()))
    gpu = NvmlGpu(
        index=index,
        uuid=uuid,
        bus=values.bus_id(told.told("PCI", "Bus Id")) or bus,
        name=name,
        serial=values.known(told.told("Serial Number")),
        minor=values.whole(told.told("Minor Number")),
        vbios=values.known(told.told("VBIOS Version")),
        persistence=values.switched(told.told("Persistence Mode")),
        compute_mode=values.compute_mode(told.told("Compute Mode")),
        addressing_mode=values.addressing_mode(told.told("Addressing Mode")),
        recovery_action=values.recovery_action(told.told("GPU Recovery Action")),
        fabric_state=values.fabric_state(told.told("Fabric", "State")),
        fabric_status=values.fabric_status(told.told("Fabric", "Status")),
        mig=values.switched(told.told("MIG Mode", "Current")),
        mig_pending=values.switched(told.told("MIG Mode", "Pending")),
        mig_devices=mig,
        processes=processes(told.part("Processes"), mig),
    )
    for read in (_power, _load, _memory, _pcie, _errors):
        gpu = read(gpu, told)
    return gpu


def _power(gpu: NvmlGpu, told: Section) -> NvmlGpu:
    """R530 calls the enforced limit `Current` and the one that was set `Requested`."""
    power = told.part("GPU Power Readings", "Power Readings") or Section("")
    return replace(
        gpu,
        power_min=values.milliwatts(power.told("Min Power Limit")),
        power_max=values.milliwatts(power.told("Max Power Limit")),
        power_default=values.milliwatts(power.told("Default Power Limit")),
        power_limit=_first(power, values.milliwatts, "Requested Power Limit", "Power Limit"),
        power_enforced=_first(
            power, values.milliwatts, "Current Power Limit", "Enforced Power Limit"
        ),
        power_draw=_first(
            power, values.milliwatts, "Power Draw", "Average Power Draw", "Instantaneous Power Draw"
        ),
    )


def _load(gpu: NvmlGpu, told: Section) -> NvmlGpu:
    return replace(
        gpu,
        temperature=values.signed(told.told("Temperature", "GPU Current Temp")),
        utilization=values.whole(told.told("Utilization", "GPU")),
        clock_sm=values.whole(told.told("Clocks", "SM")),
        clock_sm_max=values.whole(told.told("Max Clocks", "SM")),
        clock_memory=values.whole(told.told("Clocks", "Memory")),
        throttle=_reasons(told.part("Clocks Event Reasons", "Clocks Throttle Reasons")),
    )


def _memory(gpu: NvmlGpu, told: Section) -> NvmlGpu:
    memory = told.part("FB Memory Usage", "Memory Usage") or Section("")
    return replace(
        gpu,
        memory_bytes=values.size(memory.told("Total")),
        used_bytes=values.size(memory.told("Used")),
        reserved_bytes=values.size(memory.told("Reserved")),
    )


def _pcie(gpu: NvmlGpu, told: Section) -> NvmlGpu:
    link = (told.part("PCI") or Section("")).part("GPU Link Info") or Section("")
    return replace(
        gpu,
        pcie_generation=values.whole(link.told("PCIe Generation", "Current")),
        pcie_generation_max=values.whole(link.told("PCIe Generation", "Max")),
        pcie_generation_card=values.whole(link.told("PCIe Generation", "Device Max")),
        pcie_width=values.whole(link.told("Link Width", "Current")),
        pcie_width_max=values.whole(link.told("Link Width", "Max")),
    )


def _errors(gpu: NvmlGpu, told: Section) -> NvmlGpu:
    """Ampere and later remap rows, their forerunners retire pages."""
    rows = told.part("Remapped Rows") or Section("")
    pages = told.part("Retired Pages") or Section("")
    pending = values.switched(rows.told("Pending"))
    if pending is None:
        pending = _first(pages, values.switched, "Pending Page Blacklist", "Pending")
    return replace(
        gpu,
        ecc=values.switched(told.told("ECC Mode", "Current")),
        ecc_pending=values.switched(told.told("ECC Mode", "Pending")),
        ecc_uncorrected=_uncorrected(told, "Volatile"),
        ecc_uncorrected_total=_uncorrected(told, "Aggregate"),
        remapped_correctable=values.whole(rows.told("Correctable Error")),
        remapped_uncorrectable=values.whole(rows.told("Uncorrectable Error")),
        remapping_pending=pending,
        remapping_failed=values.switched(rows.told("Remapping Failure Occurred")),
    )


def _first(
    section: Section, read: Callable[[str | None], _Value | None], *names: str
) -> _Value | None:
    """The first of these values that is told."""
    return next((value for name in names if (value := read(section.told(name))) is not None), None)


def _reasons(section: Section | None) -> int | None:
    """The bits of the reasons that are active now; None where not one of them is told."""
    reasons = None
    for part in _below(section):
        active, bit = values.switched(part.value), _REASONS.get(part.name.lower())
        if active is not None and bit is not None:
            reasons = (reasons or 0) | (bit if active else 0)
    return reasons


def _below(section: Section | None) -> Iterator[Section]:
    for part in section.parts if section else ():
        yield part
        yield from part.parts


def _uncorrected(told: Section, kind: str) -> int | None:
    """Uncorrectable ECC errors: Volta's total of double bits, Turing's and Hopper's by memory."""
    errors = (told.part("ECC Errors") or Section("")).part(kind)
    double = errors.part("Double Bit") if errors else None
    if double:
        total = values.whole(double.told("Total"))
        return total if total is not None else _sum(part.value for part in double.parts)
    return _sum(
        part.value for part in (errors.parts if errors else ()) if "Uncorrectable" in part.name
    )


def _sum(counts: Iterator[str | None]) -> int | None:
    known = [count for count in map(values.whole, counts) if count is not None]
    return sum(known) if known else None
