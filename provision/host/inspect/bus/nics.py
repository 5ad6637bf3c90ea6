"""Network cards on the PCI bus, with their interfaces and RDMA devices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ...facts import Nic, NumaNode
from ...quantity import CpuSet
from ..tree import Tree
from .function import Function, LinkFiles, iommu_group, is_virtual, link_name, locality

_CARDS = ("0200", "0207")  # Ethernet, InfiniBand
# Fabric and other network controllers: Omni-Path, but also wireless cards and crypto engines.
_PERHAPS = ("0208", "0280")
NIC_CLASSES = (*_CARDS, *_PERHAPS)


def is_nic(tree: Tree, function: Function) -> bool:
    """Whether a function of these classes is a network card for us.

    Not so are a controller of another kind without an interface, and a virtual function (a card
    may have hundreds) that no driver of this host made an interface of: it waits for a guest.
    """
    if function.class_code in _CARDS and not is_virtual(tree, function):
        return True
    return bool(read_interfaces(tree, function.folder))


def read_nic(
    tree: Tree,
    function: Function,
    files: LinkFiles,
    names: Mapping[tuple[str, str], str],
    place: tuple[Sequence[NumaNode], CpuSet],
) -> Nic:
    """The card's facts; place: the nodes and the online CPUs."""
    node, local = locality(tree, function.folder, *place)
    return Nic(
        address=function.address,
        vendor_id=function.vendor_id,
        device_id=function.device_id,
        class_code=function.class_code,
        interfaces=read_interfaces(tree, function.folder),
        rdma=tree.names(f"{function.folder}/infiniband"),
        name=names.get((function.vendor_id, function.device_id)),
        numa_node=node,
        local_cpus=local,
        driver=link_name(tree, f"{function.folder}/driver"),
        link=files.link,
        bridges=function.bridges,
        root=function.root,
        iommu_group=iommu_group(tree, function.folder),
        virtual=is_virtual(tree, function),
    )


def read_interfaces(tree: Tree, folder: str) -> tuple[str, ...]:
    """The interfaces of a card; those of a virtio card are one folder further down."""
    direct = tree.names(f"{folder}/net")
    if direct:
        return direct
    virtio = (name for name in tree.names(folder) if re.fullmatch(r"virtio[0-9]+", name))
    return tuple(sorted(one for name in virtio for one in tree.names(f"{folder}/{name}/net")))
