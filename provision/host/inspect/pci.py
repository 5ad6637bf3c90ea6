"""Accelerators on the PCI bus, whether or not a driver serves them, and the paths between them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..facts import NumaNode, PathClass, PciDevice, PcieLink, Vendor
from ..quantity import CpuSet, PciAddress
from .numa import node_of_cpus
from .tree import Tree

_DEVICES = "/sys/bus/pci/devices"
_VENDORS: dict[str, Vendor] = {"10de": "nvidia", "1002": "amd", "8086": "intel"}
_DISPLAY = ("0300", "0302", "0380")  # VGA, 3D and other display controllers
_ACCELERATOR = ("0b40", "1200")  # co-processor, processing accelerator
# Intel QuickAssist (compression, ciphers) has the class of a co-processor too (pci.ids).
_QUICKASSIST = re.compile(r"0435|044[23]|18a[01]|18e[ef]|19e[23]|37c[89]|494[0-7]|578a|6f5[45]")


def read_accelerators(
    tree: Tree, nodes: Sequence[NumaNode], online: CpuSet
) -> tuple[PciDevice, ...]:
    """The accelerators in order of their addresses (Documentation/ABI/testing/sysfs-bus-pci)."""
    found: list[PciDevice] = []
    for name in tree.names(_DEVICES):
        try:
            address = PciAddress.parse(name)
        except ValueError:
            continue
        folder = f"{_DEVICES}/{name}"
        class_code = _hex(tree.text(f"{folder}/class"), 6)[:4]
        vendor_id = _hex(tree.text(f"{folder}/vendor"), 4)
        device_id = _hex(tree.text(f"{folder}/device"), 4)
        if is_accelerator(class_code, vendor_id, device_id):
            found.append(
                _device(tree, folder, address, (vendor_id, device_id, class_code), nodes, online)
            )
    return tuple(sorted(found, key=lambda device: device.address))


def is_accelerator(class_code: str, vendor_id: str, device_id: str) -> bool:
    """Whether a PCI device may compute: a GPU of a known maker, or any compute accelerator.

    A display class alone proves nothing: servers carry ASPEED, Matrox and virtual VGA chips.
    """
    if class_code in _ACCELERATOR:
        return not (vendor_id == "8086" and _QUICKASSIST.fullmatch(device_id))
    return class_code in _DISPLAY and vendor_id in _VENDORS


def _device(
    tree: Tree,
    folder: str,
    address: PciAddress,
    ids: tuple[str, str, str],
    nodes: Sequence[NumaNode],
    online: CpuSet,
) -> PciDevice:
    local = tree.cpus(f"{folder}/local_cpulist", f"{folder}/local_cpus")
    local = (local & online) or None if local is not None else None
    node = tree.number(f"{folder}/numa_node")
    if node is None or node not in {one.id for one in nodes}:
        # -1 does not mean far from everything: firmware often tells the CPUs alone.
        node = node_of_cpus(nodes, local, online) if local is not None else None
    vendor_id, device_id, class_code = ids
    driver = tree.link(f"{folder}/driver")
    return PciDevice(
        address=address,
        vendor_id=vendor_id,
        device_id=device_id,
        class_code=class_code,
        vendor=_VENDORS.get(vendor_id),
        numa_node=node,
        local_cpus=local,
        driver=driver.rpartition("/")[2] if driver else None,
        link=_link(tree, folder) or _link_of_port(tree, folder),
    )


def _link(tree: Tree, folder: str) -> PcieLink | None:
    link = PcieLink(
        speed=link_speed(tree.text(f"{folder}/current_link_speed")),
        speed_max=link_speed(tree.text(f"{folder}/max_link_speed")),
        width=link_width(tree.text(f"{folder}/current_link_width")),
        width_max=link_width(tree.text(f"{folder}/max_link_width")),
    )
    return None if link == PcieLink() else link


def _link_of_port(tree: Tree, folder: str) -> PcieLink | None:
    """The link as the port above the device tells it: some virtual devices have no files for it."""
    path = bus_path(tree, folder)
    if len(path) < 3:  # a device on the root bus has no port
        return None
    return _link(tree, f"{_DEVICES}/{path[-2]}")


def link_speed(text: str | None) -> float | None:
    """GT/s of `16.0 GT/s PCIe`, `8 GT/s`; None for `Unknown` and `Unknown speed`."""
    match = re.match(r"(\d+(?:\.\d+)?)\s*GT/s", text or "")
    return float(match[1]) if match else None


def link_width(text: str | None) -> int | None:
    """Lanes; None for 0 and 255, the kernel's and the hardware's words for unknown."""
    number = int(text) if text and text.isdecimal() else 0
    return number if 0 < number < 255 else None


def bus_path(tree: Tree, folder: str) -> tuple[str, ...]:
    """The device's way down from its root: `pci0000:16`, `0000:16:00.0`, `0000:17:00.0`."""
    parts = tree.real(folder).split("/")
    roots = (at for at, part in enumerate(parts) if re.fullmatch(r"pci[0-9a-f]{4,8}:\w\w", part))
    root = next(roots, None)
    return () if root is None else tuple(parts[root:])


def device_path(tree: Tree, address: PciAddress) -> tuple[str, ...]:
    """bus_path of an address; empty when the bus has no such device."""
    for name in tree.names(_DEVICES):
        try:
            if PciAddress.parse(name) == address:
                return bus_path(tree, f"{_DEVICES}/{name}")
        except ValueError:
            continue
    return ()


def path_class(
    a: Sequence[str], b: Sequence[str], a_node: int | None, b_node: int | None
) -> PathClass | None:
    """How near two devices are, in nvidia-smi's words, from their bus_paths and nodes.

    Below one PCIe switch: PIX; over several: PXB; one root: PHB; one node: NODE; else SYS.
    """
    if not a or not b:
        return None
    shared = 0
    while shared < min(len(a), len(b)) and a[shared] == b[shared]:
        shared += 1
    if shared == 0:
        if a_node is None or b_node is None:
            return None
        return "NODE" if a_node == b_node else "SYS"
    if shared == 1:
        return "PHB"
    deepest = max(len(a), len(b)) - shared  # own bridges and the device itself
    return "PIX" if deepest <= 2 else "PXB"


def _hex(text: str | None, digits: int) -> str:
    """`0x030200` as `030200`; a VMD or broken file gives the empty text, which is nothing."""
    try:
        return f"{int(text or '', 16):0{digits}x}"
    except ValueError:
        return ""
