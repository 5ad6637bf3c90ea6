"""The PCI bus: accelerators, whether or not a driver serves them, network cards, NVSwitches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...facts import LinkNow, Nic, NumaNode, PciDevice, Vendor
from ...quantity import CpuSet
from ..tree import Tree
from .bridges import read_bridges
from .bus import Bus
from .config import answers, read_header
from .function import (
    Function,
    LinkFiles,
    hex_digits,
    iommu_group,
    is_virtual,
    link_name,
    link_of,
    locality,
    read_functions,
)
from .names import read_names
from .nics import NIC_CLASSES, is_nic, read_nic
from .ways import paths_between, paths_by_slot

_VENDORS: dict[str, Vendor] = {"10de": "nvidia", "1002": "amd", "8086": "intel"}
_DISPLAY = ("0300", "0302", "0380")  # VGA, 3D and other display controllers
_ACCELERATOR = ("0b40", "1200")  # co-processor, processing accelerator
_BRIDGE = "0680"  # a bridge of no other class: NVSwitch
_CLASSES = frozenset((*_DISPLAY, *_ACCELERATOR, _BRIDGE, *NIC_CLASSES))
# Intel QuickAssist (compression, ciphers) has the class of a co-processor too (pci.ids).
_QUICKASSIST = re.compile(r"0435|044[23]|18a[01]|18e[ef]|19e[23]|37c[89]|494[0-7]|578a|6f5[45]")
# ATI's chips for the consoles of older servers: Rage XL, Radeon 7000, ES1000 (pci.ids).
_CONSOLE = re.compile(r"4752|5159|515e|5969")


def read_bus(tree: Tree, nodes: Sequence[NumaNode], online: CpuSet) -> Bus:
    """The bus with accelerators, network cards and NVSwitches, and the bridges above them."""
    found = [one for one in read_functions(tree, _CLASSES) if _matters(tree, one)]
    read = [(one, link_of(tree, one)) for one in sorted(found, key=lambda one: one.address)]
    names = read_names(tree, {(one.vendor_id, one.device_id) for one in found})
    place = nodes, online
    devices: list[PciDevice] = []
    nics: list[Nic] = []
    for one, files in read:
        if one.class_code in NIC_CLASSES:
            nics.append(read_nic(tree, one, files, names, place))
        else:
            devices.append(_device(tree, one, files, names, place))
    accelerators = tuple(one for one in devices if one.class_code != _BRIDGE)
    bridges = read_bridges(tree, read, nodes, online)
    # A virtual function goes its physical function's way.
    facts: tuple[PciDevice | Nic, ...] = (*accelerators, *nics)
    ends = {one.address: one.numa_node for one in facts if not one.virtual}
    paths = paths_between(
        [(one, ends[one.address]) for one, _ in read if one.address in ends],
        [bridge for bridge, _ in bridges],
        nodes,
    )
    now = {one.address: files.now for one, files in read}
    now |= {bridge.address: files.now for bridge, files in bridges}
    return Bus(
        accelerators=accelerators,
        nics=tuple(nics),
        nvswitches=tuple(one for one in devices if one.class_code == _BRIDGE),
        bridges=tuple(bridge for bridge, _ in bridges),
        paths=paths,
        links=tuple(LinkNow(address, speed) for address, speed in sorted(now.items()) if speed),
        by_slot=paths_by_slot(paths),
    )


def is_accelerator(class_code: str, vendor_id: str, device_id: str) -> bool:
    """Whether a PCI device may compute: a GPU of a known maker, or any compute accelerator.

    A display class alone proves nothing: servers carry ASPEED, Matrox and virtual VGA chips.
    """
    if class_code in _ACCELERATOR:
        return not (vendor_id == "8086" and _QUICKASSIST.fullmatch(device_id))
    if class_code not in _DISPLAY or vendor_id not in _VENDORS:
        return False
    return not (vendor_id == "1002" and _CONSOLE.fullmatch(device_id))


def is_nvswitch(class_code: str, vendor_id: str, device_id: str) -> bool:
    """Whether a PCI device is an NVSwitch (1ac0, 1af1, 22a3, ...).

    The network functions of NVIDIA's nForce chipsets (ids up to 0ab3) have that class too.
    """
    return class_code == _BRIDGE and vendor_id == "10de" and device_id >= "1000"


def _matters(tree: Tree, function: Function) -> bool:
    ids = function.class_code, function.vendor_id, function.device_id
    if function.class_code in NIC_CLASSES:
        return is_nic(tree, function)
    return is_accelerator(*ids) or is_nvswitch(*ids)


def _device(
    tree: Tree,
    function: Function,
    files: LinkFiles,
    names: Mapping[tuple[str, str], str],
    place: tuple[Sequence[NumaNode], CpuSet],
) -> PciDevice:
    folder = function.folder
    node, local = locality(tree, folder, *place)
    return PciDevice(
        address=function.address,
        vendor_id=function.vendor_id,
        device_id=function.device_id,
        class_code=function.class_code,
        vendor=_VENDORS.get(function.vendor_id),
        subsystem=_subsystem(tree, folder),
        name=names.get((function.vendor_id, function.device_id)),
        numa_node=node,
        local_cpus=local,
        driver=link_name(tree, f"{folder}/driver"),
        link=files.link,
        bridges=function.bridges,
        root=function.root,
        iommu_group=iommu_group(tree, folder),
        integrated=_integrated(function, files),
        virtual=is_virtual(tree, function),
        answers=answers(read_header(tree, folder)),
    )


def _subsystem(tree: Tree, folder: str) -> str | None:
    """`10de:16c1`, the maker and model of the board; zeros are none."""
    vendor = hex_digits(tree.text(f"{folder}/subsystem_vendor"), 4)
    device = hex_digits(tree.text(f"{folder}/subsystem_device"), 4)
    return f"{vendor}:{device}" if vendor and device and vendor != "0000" else None


def _integrated(function: Function, files: LinkFiles) -> bool | None:
    """Whether it is on the CPU's package, as far as the bus tells it: of Intel's alone.

    Intel's graphics are always 0000:00:02 and have no link, unlike a card that a virtual machine
    was given there.
    """
    if _VENDORS.get(function.vendor_id) != "intel" or function.class_code not in _DISPLAY:
        return None
    address = function.address
    here = (address.domain, address.bus, address.device) == (0, 0, 2)
    return here and files.link is None
