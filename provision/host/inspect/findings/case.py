"""One machine as the rules see it: all facts, with the look-ups that several rules need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...facts import (
    Driver,
    Gpu,
    GpuLink,
    GpuNow,
    InspectRequest,
    NumaNode,
    PciBridge,
    PciDevice,
    Stable,
    Vendor,
    Volatile,
)
from ...quantity import PciAddress
from ..gpus import Slot, slot
from .observed import Observed

# What the host half says where no driver was asked at all: a recorded tree of files.
NOT_ASKED = "the driver was not asked"


@dataclass(frozen=True, slots=True)
class Case:
    """The facts of one inspection."""

    request: InspectRequest
    stable: Stable
    volatile: Volatile
    observed: Observed
    now: Mapping[str, GpuNow]  # by UUID
    bridges: Mapping[PciAddress, PciBridge]
    served: Mapping[Slot, Gpu]  # GPUs by the slot of their address

    @classmethod
    def of(
        cls, request: InspectRequest, stable: Stable, volatile: Volatile, observed: Observed
    ) -> Case:
        return cls(
            request,
            stable,
            volatile,
            observed,
            now={one.uuid: one for one in volatile.gpus},
            bridges={bridge.address: bridge for bridge in stable.bridges},
            served={slot(gpu.address): gpu for gpu in stable.gpus},
        )

    @property
    def nvidia(self) -> tuple[Gpu, ...]:
        """The GPUs that NVIDIA's driver serves."""
        return tuple(gpu for gpu in self.stable.gpus if gpu.vendor == "nvidia")

    @property
    def bare_metal(self) -> bool:
        """Neither in a virtual machine nor in a container, as far as known."""
        system = self.stable.system
        return system.virtual_machine is None and system.container is None

    @property
    def nodes_with_cpus(self) -> tuple[NumaNode, ...]:
        return tuple(node for node in self.stable.numa_nodes if node.cpus)

    def on_bus(self, vendor: Vendor) -> tuple[PciDevice, ...]:
        """Accelerators of one vendor, virtual functions left out."""
        return tuple(
            one for one in self.stable.accelerators if one.vendor == vendor and not one.virtual
        )

    def driver(self, vendor: Vendor) -> Driver | None:
        return next((one for one in self.stable.drivers if one.vendor == vendor), None)

    def gpu(self, uuid: str) -> Gpu | None:
        """The GPU of this UUID, or the one that a MIG slice of this UUID is cut from."""
        for gpu in self.stable.gpus:
            if gpu.uuid == uuid or any(mig.uuid == uuid for mig in gpu.mig_devices):
                return gpu
        return None

    def pairs(self) -> tuple[tuple[GpuLink, Gpu, Gpu], ...]:
        """Pairs of NVIDIA GPUs with both ends, MIG mode left out: it has no peer-to-peer."""
        there = {gpu.uuid: gpu for gpu in self.nvidia if not gpu.mig}
        return tuple(
            (link, there[link.a], there[link.b])
            for link in self.stable.gpu_links
            if link.a in there and link.b in there
        )
