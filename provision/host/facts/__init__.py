"""Facts: what a host is (stable), what moves on it (volatile). Unknown is None, never 0 or "".

`provision schema facts` prints the JSON Schema of this document; the comments beside the fields
are its descriptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .cpu import CgroupLimits, CoreKind, Cpu, HugePages, NumaNode
from .finding import Finding
from .gpu import Driver, Gpu, GpuLink, MigDevice, NvLink
from .pci import Nic, PathClass, PciBridge, PciDevice, PcieLink, PciPath, Vendor
from .request import InspectRequest
from .software import EngineFound, ExporterFound, ModelFound, NginxFound, PathFound
from .system import Kernel, Limits, Mount, Security, System
from .volatile import (
    GpuNow,
    GpuProcess,
    LinkNow,
    Listener,
    MemoryNow,
    NodeNow,
    Placed,
    RoomNow,
    UnitNow,
    Volatile,
    Xid,
)

__all__ = [
    "CgroupLimits",
    "CoreKind",
    "Cpu",
    "Driver",
    "EngineFound",
    "ExporterFound",
    "Facts",
    "Finding",
    "Gpu",
    "GpuLink",
    "GpuNow",
    "GpuProcess",
    "HugePages",
    "InspectRequest",
    "Kernel",
    "Limits",
    "LinkNow",
    "Listener",
    "MemoryNow",
    "MigDevice",
    "ModelFound",
    "Mount",
    "NginxFound",
    "Nic",
    "NodeNow",
    "NumaNode",
    "NvLink",
    "PathClass",
    "PathFound",
    "PciBridge",
    "PciDevice",
    "PciPath",
    "PcieLink",
    "Placed",
    "RoomNow",
    "Security",
    "Stable",
    "System",
    "UnitNow",
    "Vendor",
    "Volatile",
    "Xid",
]


@dataclass(frozen=True, slots=True)
class Stable:
    """What stays until hardware or software changes; a saved plan is checked against this."""

    system: System
    kernel: Kernel = Kernel()
    limits: Limits = Limits()
    security: Security = Security()
    cgroup: CgroupLimits = CgroupLimits()
    cpu: Cpu = Cpu()
    numa_nodes: tuple[NumaNode, ...] = ()  # by id; one pseudo node 0 where the machine tells none
    accelerators: tuple[PciDevice, ...] = ()  # by address, served by a driver or not
    nics: tuple[Nic, ...] = ()  # by address
    nvswitches: tuple[PciDevice, ...] = ()  # by address
    bridges: tuple[PciBridge, ...] = ()  # above accelerators, NVSwitches and NICs, by address
    pci_paths: tuple[PciPath, ...] = ()  # between any two accelerators or NICs
    drivers: tuple[Driver, ...] = ()
    gpus: tuple[Gpu, ...] = ()  # NVIDIA's first, then AMD's, then Intel's; by address in each
    gpu_links: tuple[GpuLink, ...] = ()
    engines: tuple[EngineFound, ...] = ()
    nginx: NginxFound | None = None
    exporters: tuple[ExporterFound, ...] = ()
    users: tuple[str, ...] = ()  # those of the engines that exist already
    mounts: tuple[Mount, ...] = ()  # that the paths, the models' usual folders and /dev/shm lie on
    paths: tuple[PathFound, ...] = ()  # those of the request


@dataclass(frozen=True, slots=True)
class Facts:
    """The document that inspection gives."""

    VERSION: ClassVar[int] = 1
    version: int  # of this document's form
    stable: Stable
    volatile: Volatile = Volatile()
    findings: tuple[Finding, ...] = ()  # gravest first

    def gpu(self, uuid: str) -> Gpu | None:
        """The GPU of this UUID."""
        return next((gpu for gpu in self.stable.gpus if gpu.uuid == uuid), None)

    def node(self, number: int) -> NumaNode | None:
        """The NUMA node of this id."""
        return next((node for node in self.stable.numa_nodes if node.id == number), None)
