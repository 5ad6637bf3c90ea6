"""NVIDIA GPUs from the driver's answers and the PCI bus: what they are, and what they do now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from ...facts import (
    Driver,
    Gpu,
    GpuNow,
    GpuProcess,
    MigDevice,
    NumaNode,
    PciDevice,
)
from ...quantity import PciAddress
from ..bus.bus import Bus
from ..gpus import GpusFound, slot
from .answers import NvmlAnswers, NvmlGpu, NvmlMig
from .links import gpu_links, own_links
from .place import cpu_node, local_cpus, memory_node, pcie_link, shares_host_memory
from .words import (
    address,
    compute_mode,
    fabric_word,
    mib,
    mig_profile,
    recovery_action,
    throttle_reasons,
    watts,
)


def read_answers(
    answers: NvmlAnswers,
    bus: Bus,
    nodes: Sequence[NumaNode],
    told_by: Literal["nvml", "nvidia-smi"] = "nvml",
) -> GpusFound:
    """The facts of a sitting; the bus tells the path where NVML tells no ancestor."""
    complaints = list(answers.lost)
    usable: list[tuple[PciAddress, NvmlGpu]] = []
    for one in answers.gpus:
        where = address(one.bus)
        if one.uuid and where:
            usable.append((where, one))
        elif not any(re.match(rf"GPU {one.index}\b", text) for text in answers.lost):
            name = f"GPU {one.index} ({where})" if where else f"GPU {one.index} of NVML"
            complaints.append(f"{name} tells no {'PCI address' if one.uuid else 'UUID'}")
    usable.sort(key=lambda pair: pair[0])
    on_bus = {slot(device.address): device for device in bus.accelerators}
    gpus = tuple(
        _gpu(at, where, one, on_bus.get(slot(where)), nodes)
        for at, (where, one) in enumerate(usable)
    )
    raw = tuple(one for _, one in usable)
    return GpusFound(
        driver=Driver(
            "nvidia",
            answers.version,
            cuda=answers.cuda,
            problem=answers.problem,
            source=told_by if answers.gpus else None,
        ),
        gpus=gpus,
        links=gpu_links(gpus, raw, answers.pairs, bus.by_slot),
        now=tuple(_now(gpu.uuid, one) for gpu, one in zip(gpus, raw, strict=True)),
        processes=tuple(
            process
            for gpu, one in zip(gpus, raw, strict=True)
            for process in _processes(gpu.uuid, one)
        ),
        complaints=tuple(complaints),
    )


def _gpu(
    index: int,
    where: PciAddress,
    told: NvmlGpu,
    device: PciDevice | None,
    nodes: Sequence[NumaNode],
) -> Gpu:
    return Gpu(
        index=index,
        uuid=told.uuid or "",
        address=where,
        name=told.name,
        serial=told.serial,
        memory_mib=mib(told.memory_bytes),
        memory_reserved_mib=mib(told.reserved_bytes),
        numa_node=cpu_node(told, device, nodes),
        local_cpus=local_cpus(told, device, nodes),
        memory_node=memory_node(told.memory_node, nodes),
        compute_capability=told.capability,
        power_min_watts=watts(told.power_min),
        power_max_watts=watts(told.power_max),
        power_default_watts=watts(told.power_default),
        link=pcie_link(told, device.link if device else None),
        mig=told.mig,
        mig_pending=told.mig_pending,
        mig_devices=tuple(_slice(one) for one in sorted(told.mig_devices, key=_slice_order)),
        ecc=told.ecc,
        ecc_pending=told.ecc_pending,
        compute_mode=compute_mode(told.compute_mode),
        addressing_mode=told.addressing_mode,
        vbios=told.vbios,
        minor=told.minor,
        nvlinks=own_links(told),
        nvlink_fabric=fabric_word(told.fabric_state, told.fabric_status),
        integrated=shares_host_memory(told) or (device.integrated if device else None),
    )


def _slice(told: NvmlMig) -> MigDevice:
    return MigDevice(
        uuid=told.uuid,
        profile=mig_profile(told.name),
        memory_mib=mib(told.memory_bytes),
        gpu_instance=told.gpu_instance,
        compute_instance=told.compute_instance,
    )


def _slice_order(one: NvmlMig) -> tuple[bool, int, int, str]:
    """Of instances as nvidia-smi lists them; unnumbered ones last."""
    return (
        one.gpu_instance is None,
        one.gpu_instance or 0,
        one.compute_instance or 0,
        one.uuid,
    )


def _now(uuid: str, told: NvmlGpu) -> GpuNow:
    return GpuNow(
        uuid=uuid,
        memory_used_mib=mib(told.used_bytes),
        persistence=told.persistence,
        power_limit_watts=watts(told.power_limit),
        power_enforced_watts=watts(told.power_enforced),
        power_draw_watts=watts(told.power_draw),
        temperature_c=told.temperature,
        utilization_percent=told.utilization,
        clock_sm_mhz=told.clock_sm,
        clock_sm_max_mhz=told.clock_sm_max,
        clock_memory_mhz=told.clock_memory,
        throttle=throttle_reasons(told.throttle),
        ecc_uncorrected=told.ecc_uncorrected,
        ecc_uncorrected_total=told.ecc_uncorrected_total,
        remapped_rows=told.remapped_uncorrectable,
        remapping_pending=told.remapping_pending,
        remapping_failed=told.remapping_failed,
        recovery_action=recovery_action(told.recovery_action),
    )


def _processes(uuid: str, told: NvmlGpu) -> Iterator[GpuProcess]:
    """Each process once a slice; the GPU's own list names those of its slices again."""
    found: dict[tuple[str, int], int | None] = {}
    on_slices: set[int] = set()
    by_slice = [(one.uuid, process) for one in told.mig_devices for process in one.processes]
    for where, process in by_slice:
        found[where, process.pid] = process.memory_bytes
        on_slices.add(process.pid)
    for process in told.processes:
        if process.mig_uuid is None and process.pid in on_slices:
            continue
        key = (process.mig_uuid or uuid, process.pid)
        if found.get(key) is None:
            found[key] = process.memory_bytes
    for (where, pid), memory in sorted(found.items(), key=lambda one: one[0]):
        yield GpuProcess(where, pid, mib(memory))
