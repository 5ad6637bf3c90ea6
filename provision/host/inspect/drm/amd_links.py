"""How AMD's GPUs are joined: PCIe paths, XGMI links, and whether they read each other's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...facts import Gpu, GpuLink
from ...quantity import PciAddress
from ..gpus import Paths, slot
from ..tree import Tree
from .kfd import KfdLinks, KfdNode, read_links


def read_gpu_links(
    tree: Tree,
    gpus: Sequence[Gpu],
    parts: Mapping[PciAddress, Sequence[KfdNode]],
    paths: Paths,
) -> tuple[GpuLink, ...]:
    """The link between any two GPUs. parts: the KFD nodes of each.

    Of a GPU in partitions the first one's links are read: all of them have the same ways out.
    """
    if len(gpus) < 2:
        return ()
    told = {
        gpu.address: read_links(tree, parts[gpu.address][0]) for gpu in gpus if parts[gpu.address]
    }
    return tuple(
        gpu_link(one, two, (told.get(one.address), told.get(two.address)), parts, paths)
        for at, one in enumerate(gpus)
        for two in gpus[at + 1 :]
    )


def gpu_link(
    one: Gpu,
    two: Gpu,
    told: tuple[KfdLinks | None, KfdLinks | None],
    parts: Mapping[PciAddress, Sequence[KfdNode]],
    paths: Paths,
) -> GpuLink:
    """The link of two GPUs, from what either end tells."""
    xgmi: list[int] = []
    peers: list[bool] = []
    for links, other in zip(told, (two, one), strict=True):
        if links is not None:
            there = {part.number for part in parts[other.address]}
            ways = [link for link in links.links if link.to in there]
            if there:
                xgmi.append(max((link.xgmi for link in ways), default=0))
            if there and (ways or links.peers_told):
                peers.append(any(link.peer for link in ways))
    return GpuLink(
        a=one.uuid,
        b=two.uuid,
        path=paths.get((slot(one.address), slot(two.address))),
        xgmi=max(xgmi, default=None),
        p2p=all(peers) if peers else None,
    )
