"""NUMA nodes: their CPUs, memory and distances; one pseudo node where the machine tells none."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...facts import NumaNode
from ...quantity import CpuSet
from ..tree import Tree
from .memory import kib_of, read_huge_pages

_NODE = "/sys/devices/system/node"


@dataclass(frozen=True, slots=True)
class Numa:
    """The nodes in order of their ids, and why the machine's own information was not used."""

    nodes: tuple[NumaNode, ...]
    problem: str | None = None


def read_numa(tree: Tree, online: CpuSet) -> Numa:
    """The NUMA nodes of a machine (Documentation/ABI/stable/sysfs-devices-node)."""
    # Listed, never counted: ids are sparse and may be large. Sorted as numbers, since the rows
    # of `distance` are in that order (node10 comes after node2).
    names = tree.names(_NODE)
    ids = sorted(int(name[4:]) for name in names if re.fullmatch(r"node[0-9]{1,5}", name))
    # Where folders are missing from a recording, node/online still tells what the columns mean.
    listed = tree.cpus(f"{_NODE}/online")
    columns = tuple(listed) if listed and len(listed) > len(ids) else tuple(ids)
    nodes = tuple(_node(tree, one, columns, online) for one in ids)
    pseudo = NumaNode(
        0,
        online,
        memory_total_mib(tree.text("/proc/meminfo") or ""),
        huge_pages=read_huge_pages(tree, "/sys/kernel/mm/hugepages"),
    )
    return checked(nodes, online, pseudo)


def checked(nodes: Sequence[NumaNode], online: CpuSet, pseudo: NumaNode) -> Numa:
    """The nodes as they are, or one pseudo node 0 where they are missing or contradictory."""
    alone = (dataclasses.replace(pseudo, nearest=0 if pseudo.cpus else None),)
    if not nodes:
        return Numa(alone)
    owner: dict[int, int] = {}
    for node in nodes:
        for cpu in node.cpus:
            if cpu in owner:
                return Numa(
                    alone, f"CPU {cpu} is in node {owner[cpu]} and in node {node.id} at once"
                )
            owner[cpu] = node.id
    if online and not owner:
        return Numa(alone, "no node has any CPU")
    return Numa(
        tuple(dataclasses.replace(node, nearest=nearest_cpu_node(nodes, node.id)) for node in nodes)
    )


def _node(tree: Tree, number: int, columns: Sequence[int], online: CpuSet) -> NumaNode:
    folder = f"{_NODE}/node{number}"
    cpus = tree.cpus(f"{folder}/cpulist", f"{folder}/cpumap") or CpuSet()
    return NumaNode(
        id=number,
        cpus=cpus & online,
        memory_mib=memory_total_mib(tree.text(f"{folder}/meminfo") or ""),
        distances=distances(columns, distance_row(tree.text(f"{folder}/distance") or "")),
        huge_pages=read_huge_pages(tree, f"{folder}/hugepages"),
    )


def memory_total_mib(meminfo: str) -> int | None:
    """MemTotal in MiB of /proc/meminfo or of a node's meminfo."""
    kib = kib_of(meminfo, "MemTotal")
    return None if kib is None else kib // 1024


def distance_row(text: str) -> tuple[int, ...]:
    """A node's `distance` file; nothing when it is not a row of numbers."""
    words = text.split()
    return tuple(map(int, words)) if all(re.fullmatch("[0-9]{1,9}", word) for word in words) else ()


def distances(columns: Sequence[int], row: Sequence[int]) -> Mapping[int, int]:
    """Distances by node id; nothing when the row's length does not fit the online nodes."""
    return dict(zip(columns, row, strict=True)) if len(columns) == len(row) else {}


def nearest_cpu_node(nodes: Sequence[NumaNode], node: int | None) -> int | None:
    """The node itself when it has CPUs, else the CPU node at the smallest distance from it.

    Nodes without CPUs are HBM, CXL, PMEM or a GPU's own memory. Of equally near ones the lowest
    id; a sole CPU node is the nearest whatever the distance. None: unknown.
    """
    found = next((one for one in nodes if one.id == node), None)
    if found is None or found.cpus:
        return None if found is None else found.id
    with_cpus = [one for one in nodes if one.cpus]
    if len(with_cpus) == 1:
        return with_cpus[0].id
    # Where its own row is missing, the others' rows tell the way back.
    ways = ((found.distances.get(one.id, one.distances.get(found.id)), one.id) for one in with_cpus)
    return min(((far, one) for far, one in ways if far is not None), default=(0, None))[1]


def node_of_cpus(nodes: Sequence[NumaNode], cpus: CpuSet, online: CpuSet) -> int | None:
    """The one node that holds all of these CPUs; None when they span nodes or are all there are."""
    here = cpus & online
    if not here or online <= here:
        return None
    return next((node.id for node in nodes if here <= node.cpus), None)
