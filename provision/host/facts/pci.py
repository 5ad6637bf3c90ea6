"""Facts of the PCI bus: accelerators, network cards, bridges, links, and the ways between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..quantity import CpuSet, PciAddress

Vendor = Literal["nvidia", "amd", "intel"]
PathClass = Literal["PIX", "PXB", "PHB", "NODE", "SYS"]


@dataclass(frozen=True, slots=True)
class PcieLink:
    """Link of a device to the port above it. Its speed now is volatile: see LinkNow."""

    speed_max: float | None = None  # GT/s that this end can do: 2.5 5 8 16 32 64
    width: int | None = None  # lanes in use
    width_max: int | None = None  # lanes that this end has


@dataclass(frozen=True, slots=True)
class PciBridge:
    """A bridge on the way to an accelerator or network card: root port or switch port."""

    address: PciAddress
    vendor_id: str | None = None  # "1000" Broadcom
    device_id: str | None = None  # "c030"
    numa_node: int | None = None
    kind: Literal["root-port", "upstream", "downstream", "bridge"] | None = None  # PCIe port type
    link: PcieLink | None = None  # the port's own ability, as its link files tell it
    slot: str | None = None  # the slot's name on the board (/sys/bus/pci/slots)
    acs_redirect: bool | None = None  # ACS P2P request redirect is on; None: not told (root only)


@dataclass(frozen=True, slots=True)
class PciDevice:
    """An accelerator on the PCI bus, whether or not a driver serves it."""

    address: PciAddress
    vendor_id: str  # "10de"
    device_id: str  # "2330"
    class_code: str  # "0302": class and subclass
    vendor: Vendor | None = None  # maker of GPUs that we know
    subsystem: str | None = None  # "10de:16c1": subsystem vendor and device
    name: str | None = None  # from the host's own pci.ids, where it has one
    numa_node: int | None = None  # the kernel's, else derived from local_cpus
    local_cpus: CpuSet | None = None  # online CPUs next to it
    driver: str | None = None  # nvidia, nouveau, vfio-pci
    link: PcieLink | None = None
    bridges: tuple[PciAddress, ...] = ()  # the bridges above it, root port first
    root: str | None = None  # its root bus: pci0000:16
    iommu_group: int | None = None  # number
    integrated: bool | None = None  # on the CPU's package, without memory of its own
    virtual: bool | None = None  # a virtual function (SR-IOV)
    answers: bool | None = None  # False: it reads as all ones, so it fell off the bus


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card on the PCI bus, Ethernet or InfiniBand; one entry a function."""

    address: PciAddress
    vendor_id: str  # "15b3"
    device_id: str  # "1021"
    class_code: str  # "0200", "0207"
    interfaces: tuple[str, ...] = ()  # eth0, ens5f0np0, ib0
    rdma: tuple[str, ...] = ()  # mlx5_0
    name: str | None = None
    numa_node: int | None = None
    local_cpus: CpuSet | None = None
    driver: str | None = None  # mlx5_core, ixgbe
    link: PcieLink | None = None
    bridges: tuple[PciAddress, ...] = ()  # the bridges above it, root port first
    root: str | None = None  # its root bus
    iommu_group: int | None = None  # number
    virtual: bool | None = None  # a virtual function (SR-IOV)


@dataclass(frozen=True, slots=True)
class PciPath:
    """The way between two devices by the bus's own tree, in nvidia-smi's words."""

    a: PciAddress  # before b
    b: PciAddress  # the other one
    path: PathClass  # its class
    acs_redirect: bool | None = None  # a switch port on the way sends P2P traffic up to the root
