"""NUMA nodes: their CPUs, memory and distances; one pseudo node where the machine tells none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..facts import NumaNode
from ..quantity import CpuSet
from .tree import Tree

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
    ids = sorted(int(name[4:]) for name in names if re.fullmatch(r"node\d{1,5}", name))
    rows = {one: distance_row(tree.text(f"{_NODE}/node{one}/distance") or "") for one in ids}
    # Where folders are missing from a recording, node/online still tells what the columns mean.
    listed = tree.cpus(f"{_NODE}/online")
    columns = tuple(listed) if listed and len(listed) > len(ids) else tuple(ids)
    nodes = tuple(
        NumaNode(
            id=one,
            cpus=(tree.cpus(f"{_NODE}/node{one}/cpulist", f"{_NODE}/node{one}/cpumap") or CpuSet())
            & online,
            memory_mib=memory_total_mib(tree.text(f"{_NODE}/node{one}/meminfo") or ""),
            distances=distances(columns, rows[one]),
        )
        for one in ids
    )
    return checked(nodes, online, memory_total_mib(tree.text("/proc/meminfo") or ""))


def checked(nodes: Sequence[NumaNode], online: CpuSet, memory_mib: int | None) -> Numa:
    """The nodes as they are, or one pseudo node 0 where they are missing or contradictory."""
    pseudo = (NumaNode(0, online, memory_mib),)
    if not nodes:
        return Numa(pseudo)
    owner: dict[int, int] = {}
    for node in nodes:
        for cpu in node.cpus:
            if cpu in owner:
                return Numa(
                    pseudo, f"CPU {cpu} is in node {owner[cpu]} and in node {node.id} at once"
                )
            owner[cpu] = node.id
    if online and not owner:
        return Numa(pseudo, "no node has any CPU")
    return Numa(tuple(nodes))


def memory_total_mib(meminfo: str) -> int | None:
    """MemTotal in MiB of /proc/meminfo or of a node's meminfo (`Node 0 MemTotal: 123 kB`)."""
    match = re.search(r"^(?:Node\s+\d+\s+)?MemTotal:\s*(\d+)\s*kB", meminfo, re.MULTILINE)
    return int(match[1]) // 1024 if match else None


def distance_row(text: str) -> tuple[int, ...]:
    """A node's `distance` file; nothing when it is not a row of numbers."""
    words = text.split()
    return tuple(map(int, words)) if all(word.isdecimal() for word in words) else ()


def distances(columns: Sequence[int], row: Sequence[int]) -> Mapping[int, int]:
    """Distances by node id; nothing when the row's length does not fit the online nodes."""
    return dict(zip(columns, row, strict=True)) if len(columns) == len(row) else {}


def nearest_cpu_node(nodes: Sequence[NumaNode], node: int | None) -> int | None:
    """The node itself when it has CPUs, else the CPU node at the smallest distance from it.

    Nodes without CPUs are HBM, CXL, PMEM or a GPU's own memory. None: unknown.
    """
    found = next((one for one in nodes if one.id == node), None)
    if found is None or found.cpus:
        return None if found is None else found.id
    with_cpus = {one.id for one in nodes if one.cpus}
    near = sorted((far, one) for one, far in found.distances.items() if one in with_cpus)
    return near[0][1] if near else None


def node_of_cpus(nodes: Sequence[NumaNode], cpus: CpuSet, online: CpuSet) -> int | None:
    """The one node that holds all of these CPUs; None when they span nodes or are all there are."""
    here = cpus & online
    if not here or online <= here:
        return None
    return next((node.id for node in nodes if here <= node.cpus), None)
