"""A function on the PCI bus: its address, ids and place, and the files that all kinds have."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ...facts import NumaNode, PcieLink
from ...quantity import CpuSet, PciAddress
from ..processor.numa import node_of_cpus
from ..tree import Tree
from .config import ids, read_header

_DEVICES = "/sys/bus/pci/devices"
_ROOT = re.compile(r"pci[0-9a-f]{4,8}:[0-9a-f]{2}")
_WIDTHS = (1, 2, 4, 8, 12, 16, 32)  # lanes that PCIe has; a dead device reads as 63 or 255


@dataclass(frozen=True, slots=True)
class Function:
    """A function and its way from the root: `pci0000:16`, `0000:16:00.0`, ..., itself.

    The way is empty where a recording lost the links that tell it. Behind Intel's VMD it holds
    two roots, that of the VMD device and that of its own domain: `pci0000:d7`, `0000:d7:05.5`,
    `pci10000:00`, ...
    """

    address: PciAddress
    folder: str
    class_code: str  # class and subclass: 0302
    vendor_id: str
    device_id: str
    way: tuple[str, ...] = ()

    @property
    def root(self) -> str | None:
        """The root bus that it hangs on, the innermost one."""
        return next((part for part in reversed(self.way) if is_root(part)), None)

    @property
    def bridges(self) -> tuple[PciAddress, ...]:
        """The bridges above it up to its root bus, root port first."""
        above = self.way[:-1]
        last = max((at for at, part in enumerate(above) if is_root(part)), default=-1)
        return tuple(PciAddress.parse(part) for part in above[last + 1 :])


@dataclass(frozen=True, slots=True)
class LinkFiles:
    """What the link files say. express: there are such files, so this is a PCIe device."""

    link: PcieLink | None = None
    now: float | None = None  # GT/s
    express: bool = False


def is_root(part: str) -> bool:
    """Whether a part of a way is a root bus rather than a device."""
    return _ROOT.fullmatch(part) is not None


def read_functions(tree: Tree, classes: Collection[str]) -> Iterator[Function]:
    """The functions of these classes (Documentation/ABI/testing/sysfs-bus-pci).

    Of all others (servers have hundreds) the class alone is read.
    """
    for name in tree.names(_DEVICES):
        try:
            address = PciAddress.parse(name)
        except ValueError:
            continue
        folder = f"{_DEVICES}/{name}"
        class_code = hex_digits(tree.text(f"{folder}/class"), 6)[:4]
        if str(address) == name and class_code in classes:
            home = _home(tree, folder)
            vendor_id, device_id = _ids(tree, home)
            if vendor_id and device_id:  # else nothing can be said of it
                way = way_of(home) if home.endswith(f"/{name}") else ()
                yield Function(address, home, class_code, vendor_id, device_id, way)


def _home(tree: Tree, folder: str) -> str:
    """The folder below /sys/devices that a device's link names; the same one without a link."""
    target = tree.link(folder)
    return folder if target is None else posixpath.normpath(posixpath.join(_DEVICES, target))


def _ids(tree: Tree, folder: str) -> tuple[str, str]:
    """Vendor and device, from configuration space where there are no files of them."""
    vendor = hex_digits(tree.text(f"{folder}/vendor"), 4)
    device = hex_digits(tree.text(f"{folder}/device"), 4)
    told = None if vendor and device else ids(read_header(tree, folder))
    return (f"{told[0]:04x}", f"{told[1]:04x}") if told else (vendor, device)


def way_of(home: str) -> tuple[str, ...]:
    """The way from the outermost root in a folder's path; nothing when it is no such path."""
    parts = home.split("/")
    root = next((at for at, part in enumerate(parts) if is_root(part)), None)
    if root is None:
        return ()
    try:
        for part in parts[root:]:
            if not is_root(part):
                PciAddress.parse(part)
    except ValueError:
        return ()
    return tuple(parts[root:])


def locality(
    tree: Tree, folder: str, nodes: Sequence[NumaNode], online: CpuSet
) -> tuple[int | None, CpuSet | None]:
    """The node of a device and the online CPUs next to it, the kernel's or one from the other."""
    local = tree.cpus(f"{folder}/local_cpulist", f"{folder}/local_cpus")
    local = (local & online) or None if local is not None else None
    node = tree.number(f"{folder}/numa_node")
    if node is None or node not in {one.id for one in nodes}:
        # -1 does not mean far from everything: firmware often tells the CPUs alone.
        node = node_of_cpus(nodes, local, online) if local is not None else None
    return node, local


def link_name(tree: Tree, path: str) -> str | None:
    """The last part of a link's target, which names a driver or an IOMMU group."""
    target = tree.link(path)
    return target.rpartition("/")[2] or None if target else None


def iommu_group(tree: Tree, folder: str) -> int | None:
    """The number of the device's IOMMU group; None without an IOMMU."""
    name = link_name(tree, f"{folder}/iommu_group") or ""
    return int(name) if re.fullmatch(r"[0-9]{1,9}", name) else None


def is_virtual(tree: Tree, function: Function) -> bool | None:
    """Whether it is a virtual function (SR-IOV); None where a recording has lost all links."""
    if tree.link(f"{function.folder}/physfn") is not None:
        return True
    return False if function.way else None


def link_of(tree: Tree, function: Function) -> LinkFiles:
    """The function's link, or as the port above it tells it.

    Some virtual devices have no files for their link, and some kernels none for any device.
    """
    own = read_link(tree, function.folder)
    if own.link is not None or not function.bridges:
        return own
    port = read_link(tree, function.folder.rpartition("/")[0])
    return LinkFiles(port.link, port.now, own.express)


def read_link(tree: Tree, folder: str) -> LinkFiles:
    """The link files of a device or port (kernel 4.13 and later)."""
    text = tree.text(f"{folder}/max_link_speed")
    width = tree.text(f"{folder}/current_link_width")
    link = PcieLink(
        speed_max=link_speed(text),
        width=link_width(width),
        width_max=link_width(tree.text(f"{folder}/max_link_width")),
    )
    return LinkFiles(
        link=None if link == PcieLink() else link,
        now=link_speed(tree.text(f"{folder}/current_link_speed")),
        express=text is not None or width is not None,
    )


def link_speed(text: str | None) -> float | None:
    """GT/s of `16.0 GT/s PCIe`, `8 GT/s`; None for `Unknown` and `Unknown speed`."""
    match = re.match(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)\s*GT/s", text or "")
    return float(match[1]) or None if match else None


def link_width(text: str | None) -> int | None:
    """Lanes; None for what is no width, such as 0, 63 and 255, the words for unknown."""
    return next((lanes for lanes in _WIDTHS if text == str(lanes)), None)


def hex_digits(text: str | None, digits: int) -> str:
    """`0x030200` as `030200`; a broken file gives the empty text, which is nothing."""
    match = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{1,8})", text or "")
    number = int(match[1], 16) if match else None
    return "" if number is None or number >> 4 * digits else f"{number:0{digits}x}"
