"""What one vendor's reader finds: its driver, its GPUs, how they are joined, what runs on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..facts import Driver, Gpu, GpuLink, GpuNow, GpuProcess, PathClass, Xid
from ..quantity import PciAddress

Slot = tuple[int, int, int]
Paths = Mapping[tuple[Slot, Slot], PathClass]  # by pairs of slots, both ways round


@dataclass(frozen=True, slots=True)
class GpusFound:
    """GPUs in PCI order; driver None: this machine has nothing of the vendor."""

    driver: Driver | None = None
    gpus: tuple[Gpu, ...] = ()
    links: tuple[GpuLink, ...] = ()
    now: tuple[GpuNow, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    complaints: tuple[str, ...] = ()  # GPUs that the driver knows but that cannot be used
    xids: tuple[Xid, ...] = ()
    xids_known: bool | None = None  # whether the kernel's log could be read


def slot(address: PciAddress) -> Slot:
    """An address without its function: NVML's bus ids and links name the device as a whole."""
    return (address.domain, address.bus, address.device)
