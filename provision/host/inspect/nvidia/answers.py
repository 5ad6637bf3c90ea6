"""The NVIDIA driver's answers as they came, from NVML or from nvidia-smi's text: raw values.

Power is in milliwatts, memory in bytes, clocks in MHz, as NVML gives them. What was not told is
None. nvidia.py makes facts of them; a recording of a host keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...quantity import CpuSet


@dataclass(frozen=True, slots=True)
class NvmlLink:
    """One NVLink. kind: 0 GPU, 1 IBM NPU, 2 NVSwitch."""

    link: int
    active: bool | None = None
    version: int | None = None
    kind: int | None = None
    remote: str | None = None  # PCI address of the other end, as NVML writes it


@dataclass(frozen=True, slots=True)
class NvmlProcess:
    pid: int
    memory_bytes: int | None = None
    mig_uuid: str | None = None  # the slice it runs on


@dataclass(frozen=True, slots=True)
class NvmlMig:
    uuid: str
    name: str | None = None  # NVIDIA H100 80GB HBM3 MIG 1g.10gb
    memory_bytes: int | None = None
    gpu_instance: int | None = None
    compute_instance: int | None = None
    processes: tuple[NvmlProcess, ...] = ()


@dataclass(frozen=True, slots=True)
class NvmlGpu:
    """One GPU's answers."""

    index: int  # NVML's, or the line of nvidia-smi: not stable over boots
    uuid: str | None
    bus: str | None  # 00000000:17:00.0
    name: str | None = None
    serial: str | None = None
    minor: int | None = None
    vbios: str | None = None
    capability: str | None = None  # 9.0
    memory_bytes: int | None = None
    used_bytes: int | None = None
    reserved_bytes: int | None = None
    power_min: int | None = None
    power_max: int | None = None
    power_default: int | None = None
    power_limit: int | None = None
    power_enforced: int | None = None
    power_draw: int | None = None
    persistence: bool | None = None
    compute_mode: int | None = None  # nvmlComputeMode_t: 0 default 1 thread 2 prohibited 3 process
    temperature: int | None = None  # Celsius
    utilization: int | None = None  # percent; not told with MIG on
    clock_sm: int | None = None
    clock_sm_max: int | None = None
    clock_memory: int | None = None
    throttle: int | None = None  # bits of nvmlClocksEventReason*
    pcie_generation: int | None = None  # now: drops when idle
    pcie_generation_max: int | None = None  # of card and slot together
    pcie_generation_card: int | None = None  # of the card alone
    pcie_width: int | None = None
    pcie_width_max: int | None = None
    ecc: bool | None = None
    ecc_pending: bool | None = None
    ecc_uncorrected: int | None = None  # since the driver was loaded
    ecc_uncorrected_total: int | None = None
    remapped_correctable: int | None = None
    remapped_uncorrectable: int | None = None
    remapping_pending: bool | None = None  # or a retired page (before Ampere)
    remapping_failed: bool | None = None
    recovery_action: int | None = None  # 0 none 1 reset 2 reboot 3 drain p2p 4 drain and reset
    addressing_mode: str | None = None
    fabric_state: int | None = None  # 0 not supported 1 not started 2 in progress 3 completed
    fabric_status: int | None = None  # nvmlReturn_t of the fabric's registration
    cpu_affinity: CpuSet | None = None
    node_affinity: CpuSet | None = None  # NUMA nodes whose memory is near
    memory_node: int | None = None  # the GPU's own memory as a NUMA node
    mig: bool | None = None
    mig_pending: bool | None = None
    mig_devices: tuple[NvmlMig, ...] = ()
    links: tuple[NvmlLink, ...] | None = None  # None: not told
    processes: tuple[NvmlProcess, ...] = ()


@dataclass(frozen=True, slots=True)
class NvmlPair:
    """Two GPUs by index. ancestor: nvmlGpuTopologyLevel_t; p2p, nvlink: nvmlGpuP2PStatus_t."""

    a: int
    b: int
    ancestor: int | None = None
    p2p: int | None = None  # by reads
    nvlink: int | None = None
    nvlinks: int | None = None  # their number, where a matrix of nvidia-smi told it


@dataclass(frozen=True, slots=True)
class NvmlAnswers:
    """All answers of one sitting. problem: why nothing could be asked; lost: GPUs not opened."""

    version: str | None = None
    cuda: str | None = None
    problem: str | None = None
    gpus: tuple[NvmlGpu, ...] = ()
    pairs: tuple[NvmlPair, ...] = ()
    lost: tuple[str, ...] = ()  # one sentence each: GPU 3 (0000:c1:00.0): GPU is lost
