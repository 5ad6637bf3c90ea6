"""KFD's topology: the nodes that ROCm sees, their memory and their links.

/sys/class/kfd/kfd/topology/nodes, from drivers/gpu/drm/amd/amdkfd/kfd_topology.c. A GPU that is
cut into partitions (MI300 in DPX, QPX, CPX) is several nodes of one PCI address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...quantity import PciAddress
from ..tree import Tree

_NODES = "/sys/class/kfd/kfd/topology/nodes"
_PROCESSES = "/sys/class/kfd/kfd/proc"
_LOCAL_HEAPS = (1, 2)  # HSA_MEM_HEAP_TYPE_FB_PUBLIC and _PRIVATE; 0 is the host's memory
_XGMI = 11  # CRAT_IOLINK_TYPE_XGMI
_NO_PEER_DMA = 1 << 4  # CRAT_IOLINK_FLAGS_NO_PEER_TO_PEER_DMA
_ONE_HOP = 15  # weight of one XGMI hop


@dataclass(frozen=True, slots=True)
class KfdNode:
    """A node that is a GPU or a partition of one."""

    number: int
    address: PciAddress
    gpu_id: int | None = None  # names the GPU in the folders of processes
    cpu_cores: int = 0  # not 0: an APU, one node with its CPUs
    gfx: str | None = None  # gfx942
    unique_id: int | None = None
    hive: int | None = None  # GPUs of one hive are joined by XGMI
    render_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Kfd:
    """The nodes that are GPUs. hidden: nodes there are that we may not look at (containers)."""

    nodes: tuple[KfdNode, ...] = ()
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class KfdLink:
    """A link from one node to another."""

    to: int
    xgmi: int  # direct XGMI links that it stands for
    peer: bool  # one may read the other's memory over it


@dataclass(frozen=True, slots=True)
class KfdLinks:
    """Links of one node. peers_told: the kernel also tells the ways over PCIe (from 6.0)."""

    links: tuple[KfdLink, ...] = ()
    peers_told: bool = False


def read_kfd(tree: Tree) -> Kfd:
    """The GPUs of the topology, in order of their node numbers."""
    numbers = sorted(int(name) for name in tree.names(_NODES) if re.fullmatch("[0-9]{1,6}", name))
    nodes: list[KfdNode] = []
    hidden = False
    for number in numbers:
        text = tree.text(f"{_NODES}/{number}/properties")
        # Nodes that the device cgroup forbids answer EPERM (kfd_devcgroup_check_permission).
        hidden = hidden or text is None
        node = kfd_node(number, properties(text or ""), tree.number(f"{_NODES}/{number}/gpu_id"))
        if node:
            nodes.append(node)
    return Kfd(tuple(nodes), hidden)


def kfd_node(number: int, told: Mapping[str, int], gpu_id: int | None) -> KfdNode | None:
    """A node of its properties; None for a node of CPUs alone."""
    place = told.get("location_id")
    if not told.get("simd_count") or place is None:
        return None
    # Bus, device, function in the low 16 bits. With partitions their number stands in bits 31-28.
    address = PciAddress(told.get("domain", 0), place >> 8 & 0xFF, place >> 3 & 0x1F, place & 0x7)
    return KfdNode(
        number=number,
        address=address,
        gpu_id=gpu_id or None,
        cpu_cores=told.get("cpu_cores_count", 0),
        gfx=gfx_name(told.get("gfx_target_version")),
        unique_id=told.get("unique_id") or None,
        hive=told.get("hive_id") or None,
        render_minor=told.get("drm_render_minor") or None,
    )


def properties(text: str) -> dict[str, int]:
    """A KFD properties file: lines of a name and a number."""
    matches = (re.fullmatch(r"(\w+) ([0-9]{1,20})", line.strip()) for line in text.splitlines())
    return {match[1]: int(match[2]) for match in matches if match}


def gfx_name(version: int | None) -> str | None:
    """`gfx942` of 90402, `gfx90a` of 90010: the minor and the stepping are hexadecimal digits."""
    if not version or version >= 10_000_000:
        return None
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"


def nodes_of(
    nodes: Iterable[KfdNode], devices: Iterable[PciAddress]
) -> dict[PciAddress, list[KfdNode]]:
    """The nodes of each PCI device.

    Kernels from 6.5 on or the partition's number into the function of the address, before it moved
    to the top bits: a node that no device has in full belongs to the only device of its slot.
    """
    found: dict[PciAddress, list[KfdNode]] = {device: [] for device in devices}
    slots: dict[tuple[int, int, int], list[PciAddress]] = {}
    for device in found:
        slots.setdefault((device.domain, device.bus, device.device), []).append(device)
    for node in nodes:
        place = node.address
        if place in found:
            found[place].append(node)
            continue
        neighbours = slots.get((place.domain, place.bus, place.device), [])
        if len(neighbours) == 1:
            found[neighbours[0]].append(node)
    return found


def read_local_memory(tree: Tree, nodes: Iterable[KfdNode]) -> int | None:
    """Bytes of the memory banks that lie on the GPU; None when none is told."""
    total = 0
    for node in nodes:
        banks = f"{_NODES}/{node.number}/mem_banks"
        for name in tree.names(banks):
            bank = properties(tree.text(f"{banks}/{name}/properties") or "")
            if bank.get("heap_type") in _LOCAL_HEAPS:
                total += bank.get("size_in_bytes", 0)
    return total or None


def read_links(tree: Tree, node: KfdNode) -> KfdLinks:
    """The links of a node to others: io_links, and p2p_links for the ways over PCIe."""
    folder = f"{_NODES}/{node.number}"
    links = [
        link
        for kind in ("io_links", "p2p_links")
        for name in tree.names(f"{folder}/{kind}")
        if (link := kfd_link(properties(tree.text(f"{folder}/{kind}/{name}/properties") or "")))
    ]
    return KfdLinks(tuple(links), tree.is_folder(f"{folder}/p2p_links"))


def kfd_link(told: Mapping[str, int]) -> KfdLink | None:
    """A link of its properties.

    Between GPUs the kernel writes the bandwidth of one XGMI link as the least and that of all as
    the greatest (from 5.14 on, MI200 and later); a way over other GPUs has a greater weight.
    """
    to = told.get("node_to")
    if to is None:
        return None
    direct = told.get("type") == _XGMI and told.get("weight", _ONE_HOP) <= _ONE_HOP
    one, all_of_them = told.get("min_bandwidth", 0), told.get("max_bandwidth", 0)
    count = max(all_of_them // one, 1) if one and all_of_them else 1
    return KfdLink(to, count if direct else 0, not told.get("flags", 0) & _NO_PEER_DMA)


def read_processes(tree: Tree) -> list[tuple[int, int, int]]:
    """Process, gpu_id and bytes of VRAM of every process that holds some.

    KFD opens every GPU for every process: vram_<gpu_id> is 0 on those that it does not use.
    """
    held: list[tuple[int, int, int]] = []
    for name in tree.names(_PROCESSES):
        if not re.fullmatch("[0-9]{1,10}", name):
            continue
        for file in tree.names(f"{_PROCESSES}/{name}"):
            match = re.fullmatch("vram_([0-9]{1,10})", file)
            size = tree.number(f"{_PROCESSES}/{name}/{file}") if match else None
            if match and size is not None and size > 0:
                held.append((int(name), int(match[1]), size))
    return sorted(held)
