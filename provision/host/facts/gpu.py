"""Facts of GPUs: what they are and how two of them are joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..quantity import CpuSet, PciAddress
from .pci import PathClass, PcieLink, Vendor

ComputeMode = Literal["default", "exclusive-process", "exclusive-thread", "prohibited"]


@dataclass(frozen=True, slots=True)
class MigDevice:
    """A slice of a GPU in MIG mode, which is used as a GPU of its own."""

    uuid: str  # MIG-...
    profile: str | None = None  # 1g.10gb
    memory_mib: int | None = None  # of the slice
    gpu_instance: int | None = None  # number of its GPU instance
    compute_instance: int | None = None  # number of its compute instance


@dataclass(frozen=True, slots=True)
class NvLink:
    """One NVLink of a GPU."""

    link: int  # its number on this GPU
    active: bool | None = None  # the link is up
    version: int | None = None  # NVLink generation as NVML counts it
    remote_kind: Literal["gpu", "switch", "npu"] | None = None  # what the other end is
    remote: PciAddress | None = None  # the other end on the PCI bus


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that a driver serves. index is that driver's PCI order, valid for this boot only."""

    index: int  # 0, 1, ... in PCI order within one vendor: CUDA_DEVICE_ORDER=PCI_BUS_ID
    uuid: str  # GPU-...; AMD: GPU-<unique_id>; Intel: PCI-<address>
    address: PciAddress
    vendor: Vendor = "nvidia"
    name: str | None = None
    serial: str | None = None  # data centre cards have one
    memory_mib: int | None = None  # with what the driver reserves
    memory_reserved_mib: int | None = None  # the driver's own part of it
    numa_node: int | None = None  # node of the CPUs next to it
    local_cpus: CpuSet | None = None  # online CPUs next to it
    memory_node: int | None = None  # the GPU's own memory as a NUMA node (Grace)
    compute_capability: str | None = None  # 9.0; AMD: gfx942
    power_min_watts: float | None = None  # lowest limit that may be set
    power_max_watts: float | None = None  # highest limit that may be set
    power_default_watts: float | None = None  # the card's own limit
    link: PcieLink | None = None  # its PCIe link
    mig: bool | None = None  # MIG mode on; None: the card has none
    mig_pending: bool | None = None  # MIG mode after the next reset
    mig_devices: tuple[MigDevice, ...] = ()  # its slices
    ecc: bool | None = None  # ECC on; None: the card has none
    ecc_pending: bool | None = None  # ECC after the next reset
    compute_mode: ComputeMode | None = None  # who may open it
    addressing_mode: str | None = None  # HMM, ATS, None as NVML says it
    vbios: str | None = None  # version of its firmware
    minor: int | None = None  # /dev/nvidia<minor>
    render_node: str | None = None  # AMD, Intel: /dev/dri/renderD128
    nvlinks: tuple[NvLink, ...] = ()  # by number, inactive ones too
    nvlink_fabric: str | None = None  # state of the NVSwitch fabric: completed, in-progress, ...
    xgmi_hive: str | None = None  # AMD
    partition: str | None = None  # AMD: SPX, DPX, QPX, CPX
    integrated: bool | None = None  # shares the host's memory (APU, Tegra)


@dataclass(frozen=True, slots=True)
class GpuLink:
    """How two GPUs are joined: the PCIe path class and the number of NVLinks (or XGMI links)."""

    a: str  # UUIDs, a before b in index order
    b: str  # the other one
    path: PathClass | None = None  # the way over PCIe
    nvlinks: int | None = None  # through a switch: the least that either has to it; None: not told
    xgmi: int | None = None  # AMD: hops are 1, weight 15 each; the number of direct links
    p2p: bool | None = None  # reads of one GPU's memory by the other work
    p2p_status: str | None = None  # OK, CNS, GNS, TNS, DR, NS as `nvidia-smi topo -p2p r` says


@dataclass(frozen=True, slots=True)
class Driver:
    """A vendor's driver."""

    vendor: Vendor
    version: str | None = None  # of the library or the module that answered: 580.95.05
    module: str | None = None  # of the loaded kernel module
    cuda: str | None = None  # newest CUDA it can serve: 13.0; AMD: ROCm's version
    problem: str | None = None  # why it could not be asked, in its own words
    source: Literal["nvml", "nvidia-smi", "sysfs"] | None = None  # who answered
