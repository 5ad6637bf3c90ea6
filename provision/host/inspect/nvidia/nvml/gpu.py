"""What NVML tells of one GPU, in groups of fields of NvmlGpu."""

from __future__ import annotations

from typing import Any

from ....quantity import CpuSet
from ..answers import NvmlGpu
from .health import health
from .links import fabric, links
from .mig import mig, processes
from .session import INSUFFICIENT_SIZE, INVALID_ARGUMENT, Device, address_text

_SM, _MEMORY = 1, 2  # nvmlClockType_t
_NODE = 0  # nvmlAffinityScope_t
_MEMORY_V2 = 0x02000028  # version and size of nvmlMemory_v2_t
_ADDRESSING = {0: "None", 1: "HMM", 2: "ATS"}  # nvmlDeviceAddressingModeType_t
# 64 bits each: enough for 1024 CPUs or nodes, and for the kernel's and our own most.
_WORDS = (16, 128, 1024)


def gpu_answers(index: int, device: Device, version: str | None) -> NvmlGpu:
    """One GPU; version is the driver's."""
    who = identity(device)  # first: a GPU that is lost while it is asked has its address then
    mode = mig(device, version)
    return NvmlGpu(
        index=index,
        **who,
        **memory(device),
        **power(device),
        **activity(device),
        **pcie(device),
        **health(device),
        **fabric(device),
        **place(device),
        **mode,
        links=links(device),
        processes=processes(device, version, mode["mig_devices"]),
    )


def identity(device: Device) -> dict[str, Any]:
    info = device.ask("nvmlDeviceGetPciInfo_v3")
    capability = device.ask("nvmlDeviceGetCudaComputeCapability")
    serial = device.text("nvmlDeviceGetSerial")
    return {
        "uuid": device.text("nvmlDeviceGetUUID"),
        "bus": address_text(info.busId) if info else None,
        "name": device.text("nvmlDeviceGetName"),
        "serial": None if serial in ("0", "N/A") else serial,  # boards that have none
        "minor": device.number("nvmlDeviceGetMinorNumber"),
        "vbios": device.text("nvmlDeviceGetVbiosVersion"),
        "capability": f"{capability[0]}.{capability[1]}" if capability else None,
        "compute_mode": device.number("nvmlDeviceGetComputeMode"),
        "persistence": device.flag("nvmlDeviceGetPersistenceMode"),
        "addressing_mode": _ADDRESSING.get(device.ask("nvmlDeviceGetAddressingMode")),
    }


def memory(device: Device) -> dict[str, Any]:
    """Version 2 (driver 510) keeps apart what the driver reserves; the first calls it used."""
    newer = device.ask("nvmlDeviceGetMemoryInfo", _MEMORY_V2)
    told = newer or device.ask("nvmlDeviceGetMemoryInfo")
    if not told or unified_memory_of_none(told.total):
        return {}
    return {
        "memory_bytes": told.total,
        "used_bytes": told.used,
        "reserved_bytes": newer.reserved if newer else None,
    }


def unified_memory_of_none(total: int) -> bool:
    """Symptom: success, and 0 bytes in total, where GPU and CPU share their memory (GB10, Thor).

    Drivers 580 mostly say NotSupported there; some answer with zeros (nvitop pull request 208).
    """
    return total == 0


def power(device: Device) -> dict[str, Any]:
    """Milliwatts. Laptops, GB10 and virtual GPUs have no limits."""
    least, most = device.ask("nvmlDeviceGetPowerManagementLimitConstraints") or (None, None)
    return {
        "power_min": least,
        "power_max": most,
        "power_default": device.number("nvmlDeviceGetPowerManagementDefaultLimit"),
        "power_limit": device.number("nvmlDeviceGetPowerManagementLimit"),
        "power_enforced": device.number("nvmlDeviceGetEnforcedPowerLimit"),
        "power_draw": device.number("nvmlDeviceGetPowerUsage"),
    }


def activity(device: Device) -> dict[str, Any]:
    rates = device.ask("nvmlDeviceGetUtilizationRates")
    temperature = ("nvmlDeviceGetTemperature", "nvmlDeviceGetTemperatureV")  # V: CUDA 14 on
    return {
        "temperature": device.first(temperature, 0),
        "utilization": rates.gpu if rates else None,
        "clock_sm": device.number("nvmlDeviceGetClockInfo", _SM),
        "clock_sm_max": device.number("nvmlDeviceGetMaxClockInfo", _SM),
        "clock_memory": device.number("nvmlDeviceGetClockInfo", _MEMORY),
    }


def pcie(device: Device) -> dict[str, Any]:
    """Generations and lanes; virtual machines and SoCs answer 0 for what they do not know."""
    calls = {
        "pcie_generation": "nvmlDeviceGetCurrPcieLinkGeneration",
        "pcie_generation_max": "nvmlDeviceGetMaxPcieLinkGeneration",
        "pcie_generation_card": "nvmlDeviceGetGpuMaxPcieLinkGeneration",
        "pcie_width": "nvmlDeviceGetCurrPcieLinkWidth",
        "pcie_width_max": "nvmlDeviceGetMaxPcieLinkWidth",
    }
    return {field: device.number(call) or None for field, call in calls.items()}


def place(device: Device) -> dict[str, Any]:
    """CPUs and nodes next to it; memory_node is the GPU's OWN memory as a node (Grace)."""
    node = device.ask("nvmlDeviceGetNumaNodeId")
    return {
        "cpu_affinity": _bits(device, "nvmlDeviceGetCpuAffinity"),
        "node_affinity": _bits(device, "nvmlDeviceGetMemoryAffinity", _NODE),
        "memory_node": None if node is None or node < 0 else node,
    }


def _bits(device: Device, call: str, *scope: int) -> CpuSet | None:
    """A set in words of 64 bits. Too few words are an error, so more are offered then.

    An empty set is an answer that tells nothing: containers get it (their cpuset holds no such
    CPU).
    """
    for words in _WORDS:
        told = device.question(call, words, *scope)
        if told.code not in (INSUFFICIENT_SIZE, INVALID_ARGUMENT):
            break
    ids = (
        at * 64 + bit
        for at, word in enumerate(told.value or ())
        if word
        for bit in range(64)
        if word >> bit & 1
    )
    return CpuSet.of(ids) or None
