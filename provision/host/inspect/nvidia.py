"""NVIDIA GPUs from the driver's answers and the PCI bus: what they are, do, and how joined."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..facts import (
    Driver,
    Gpu,
    GpuLink,
    GpuNow,
    GpuProcess,
    MigDevice,
    NumaNode,
    PathClass,
    PciDevice,
)
from ..quantity import PciAddress
from .numa import nearest_cpu_node
from .nvml import NvmlAnswers, NvmlGpu, NvmlPair

# nvmlGpuTopologyLevel_t; 0 is two GPUs on one board.
_ANCESTOR: dict[int, PathClass] = {
    0: "PIX",
    10: "PIX",
    20: "PXB",
    30: "PHB",
    40: "NODE",
    50: "SYS",
}
_TO_GPU, _TO_SWITCH = 0, 2
Key = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Nvidia:
    """The GPUs in PCI order, and the driver: None when this machine has nothing of NVIDIA."""

    driver: Driver | None = None
    gpus: tuple[Gpu, ...] = ()
    links: tuple[GpuLink, ...] = ()
    now: tuple[GpuNow, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    complaints: tuple[str, ...] = ()  # GPUs that the driver knows but that cannot be used


def read_answers(
    answers: NvmlAnswers,
    accelerators: Sequence[PciDevice],
    nodes: Sequence[NumaNode],
    paths: Mapping[tuple[Key, Key], PathClass | None],
) -> Nvidia:
    """The facts of a sitting. paths: by pairs of PCI addresses, where NVML tells no ancestor."""
    addresses = {gpu.index: _address(gpu.bus) for gpu in answers.gpus}
    complaints = list(answers.lost)
    usable: list[tuple[PciAddress, NvmlGpu]] = []
    for one in answers.gpus:
        address = addresses[one.index]
        if one.uuid and address:
            usable.append((address, one))
        else:
            missing = "UUID" if not one.uuid else "PCI address"
            complaints.append(f"GPU {one.index} of NVML tells no {missing}")
    usable.sort(key=lambda pair: pair[0])
    on_bus = {slot(device.address): device for device in accelerators}
    gpus = tuple(
        _gpu(at, address, one, on_bus.get(slot(address)), nodes)
        for at, (address, one) in enumerate(usable)
    )
    raw = tuple(one for _, one in usable)
    return Nvidia(
        driver=Driver("nvidia", answers.version, answers.cuda, answers.problem),
        gpus=gpus,
        links=gpu_links(gpus, raw, answers.pairs, paths),
        now=tuple(_now(gpu.uuid, one) for gpu, one in zip(gpus, raw, strict=True)),
        processes=tuple(
            GpuProcess(gpu.uuid, process.pid, _mib(process.memory_bytes))
            for gpu, one in zip(gpus, raw, strict=True)
            for process in one.processes
        ),
        complaints=tuple(complaints),
    )


def _gpu(
    index: int,
    address: PciAddress,
    told: NvmlGpu,
    device: PciDevice | None,
    nodes: Sequence[NumaNode],
) -> Gpu:
    # NVML's own GetNumaNodeId is the node of the GPU's memory (Grace), not of the CPUs near it.
    return Gpu(
        index=index,
        uuid=told.uuid or "",
        address=address,
        name=told.name,
        memory_mib=_mib(told.memory_bytes),
        numa_node=nearest_cpu_node(nodes, device.numa_node) if device else None,
        local_cpus=device.local_cpus if device else None,
        compute_capability=told.capability,
        power_min_watts=_watts(told.power_min),
        power_max_watts=_watts(told.power_max),
        power_default_watts=_watts(told.power_default),
        link=device.link if device else None,
        mig=told.mig,
        mig_devices=tuple(
            MigDevice(one.uuid, mig_profile(one.name), _mib(one.memory_bytes))
            for one in sorted(told.mig_devices, key=lambda one: one.uuid)
        ),
    )


def _now(uuid: str, told: NvmlGpu) -> GpuNow:
    return GpuNow(
        uuid=uuid,
        memory_used_mib=_mib(told.used_bytes),
        persistence=told.persistence,
        power_limit_watts=_watts(told.power_limit),
        power_draw_watts=_watts(told.power_draw),
    )


def gpu_links(
    gpus: Sequence[Gpu],
    raw: Sequence[NvmlGpu],
    pairs: Sequence[NvmlPair],
    paths: Mapping[tuple[Key, Key], PathClass | None],
) -> tuple[GpuLink, ...]:
    """How each two GPUs are joined: the PCIe path, and NVLinks laid over it."""
    told = {frozenset((pair.a, pair.b)): pair for pair in pairs}
    links: list[GpuLink] = []
    for at, gpu in enumerate(gpus):
        for other_at in range(at + 1, len(gpus)):
            other = gpus[other_at]
            one, two = raw[at], raw[other_at]
            pair = told.get(frozenset((one.index, two.index)))
            path = _ANCESTOR.get(pair.ancestor) if pair and pair.ancestor is not None else None
            links.append(
                GpuLink(
                    a=gpu.uuid,
                    b=other.uuid,
                    path=path or paths.get((slot(gpu.address), slot(other.address))),
                    nvlinks=nvlinks(one, two, pair.nvlink if pair else None),
                    p2p=pair.p2p if pair else None,
                )
            )
    return tuple(links)


def nvlinks(one: NvmlGpu, two: NvmlGpu, confirmed: bool | None) -> int:
    """NVLinks between two GPUs: direct ones, else those that both have to the NVSwitch fabric.

    confirmed is what NVML's P2P status over NVLink says; None: not told. Through a switch the
    links exist without a path as long as the fabric manager has not set it up.
    """
    direct = max(_direct(one, two), _direct(two, one))
    if direct or confirmed is False:
        return direct
    return min(_to_switch(one), _to_switch(two))


def _direct(one: NvmlGpu, two: NvmlGpu) -> int:
    there = _address(two.bus)
    ends = Counter(
        slot(end)
        for link in one.links
        if link.kind in (None, _TO_GPU) and (end := _address(link.remote))
    )
    return ends[slot(there)] if there else 0


def _to_switch(one: NvmlGpu) -> int:
    return sum(1 for link in one.links if link.kind == _TO_SWITCH)


def mig_profile(name: str | None) -> str | None:
    """`1g.10gb` of `NVIDIA H100 80GB HBM3 MIG 1g.10gb`."""
    match = re.search(r"\bMIG (\S+)$", name or "")
    return match[1] if match else None


def slot(address: PciAddress) -> Key:
    """An address without its function: NVML's bus ids and links name the device as a whole."""
    return (address.domain, address.bus, address.device)


def _address(bus: str | None) -> PciAddress | None:
    try:
        return PciAddress.parse(bus) if bus else None
    except ValueError:
        return None


def _mib(number: int | None) -> int | None:
    return None if number is None else number >> 20


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000
